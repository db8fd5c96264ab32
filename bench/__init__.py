"""Measurements of howdah beside what bare Postgres and a bare pipeline do on the same machine: `python -m bench`."""
