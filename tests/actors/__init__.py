"""Actors against small fakes of what they need: no database."""
