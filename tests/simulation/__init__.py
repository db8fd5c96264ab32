"""Whole nodes against an in-memory model of the SQL contract: virtual time, seeded scheduling, faults between any two awaits.

What is real: Node and everything in it, from the actors down to the stores and their links. What is played: Postgres
(model.py), the way to it (network.py), time and the order of callbacks (loop.py). A seed is one history, the same each time.
"""
