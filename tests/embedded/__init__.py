"""The embedded Postgres against real servers, processes and signals."""
