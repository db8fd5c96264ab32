"""The Postgres boundary: files, links, stores and migrations. The only place that knows asyncpg."""
