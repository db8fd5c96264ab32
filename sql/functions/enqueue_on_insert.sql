-- A trigger that enqueues one run of a task for each row, in the transaction that inserts it:
--   create trigger welcome after insert on users for each row execute function howdah.enqueue_on_insert('welcome');
-- The arguments are the row's columns by name, or only those that are named behind the task; `user_id=id` passes column id
-- as user_id. Locks: those of howdah.enqueue().
create or replace function howdah.enqueue_on_insert() returns trigger
  language plpgsql volatile security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_row jsonb;
  v_args jsonb;
  v_missing text;
begin
  if tg_nargs = 0 or tg_level <> 'ROW' or tg_op = 'DELETE' then
    raise exception 'howdah.enqueue_on_insert is for rows, and needs the name of a task' using errcode = '22023',
      hint = 'create trigger t after insert on users for each row execute function howdah.enqueue_on_insert(''welcome'');';
  end if;
  v_row := to_jsonb(new);
  v_args := v_row;
  if tg_nargs > 1 then
    select jsonb_object_agg(split_part(a, '=', 1), v_row -> c), min(c) filter (where not v_row ? c) into v_args, v_missing
    from unnest(tg_argv[1:]) a cross join lateral (select reverse(split_part(reverse(a), '=', 1))) s(c);
    if v_missing is not null then
      raise exception 'howdah.enqueue_on_insert was told to pass the column "%", and % has none of this name', v_missing, tg_relid::regclass
        using errcode = '42703', hint = 'Behind the task stand columns of the table, as in ''email'' or ''user_id=id''.';
    end if;
  end if;
  perform howdah.enqueue(tg_argv[0], v_args::json);
  return new;
end
$$;
