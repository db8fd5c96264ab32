-- One migration of `howdah migrate --sql`: applied unless the database has it. The placeholders are filled with literals.
do $do$
declare
  v_known boolean := false;
begin
  if to_regclass('howdah.migration') is not null then
    execute 'select exists (select from howdah.migration where number = $1)' into v_known using :number;
  end if;
  if not v_known then
    execute :text;
    insert into howdah.migration (number, name) values (:number, :name);
  end if;
end
$do$;
