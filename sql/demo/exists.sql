-- Whether the demo has been here before. Takes no locks.
select to_regclass('demo.document') is not null;
