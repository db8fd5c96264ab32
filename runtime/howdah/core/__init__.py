"""Decisions without I/O: values and the time go in, decisions come out."""
