-- Sends a notification, unless the queue of the whole cluster is nearly full: a transaction that finds it full fails at its commit,
-- and a notification is a hint, which costs latency where it is lost and never work. A session that listens and sits in its
-- transaction fills the queue, whoever it belongs to. Takes no locks of ours.
create or replace function howdah.tell(p_channel text, p_payload text) returns void
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  if pg_notification_queue_usage() < 0.9 then
    perform pg_notify(p_channel, p_payload);
  end if;
end
$$;
