-- Tells the gate, or with p_channel howdah_space all nodes, something in a short transaction that does not wait for the disk. A hint.
-- Call it outside of a transaction. Takes no locks of ours.
create or replace function howdah.tell_gate(p_channel text, p_payloads text[]) returns void
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  if p_channel not in ('howdah_gate', 'howdah_space') then
    raise exception 'there is no gate behind the channel %', p_channel using errcode = '22023';
  end if;
  perform set_config('synchronous_commit', 'off', true);
  perform howdah.tell(p_channel, p) from unnest(p_payloads) p;
end
$$;
