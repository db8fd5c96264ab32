-- Takes back what asyncpg's own reset leaves in a session: another role (which the next user would act as), and temporary tables.
set session authorization default;
reset role;
discard temp;
