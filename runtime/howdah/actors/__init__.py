"""Loops that each own a mailbox end and state what they need of the database as a Protocol of one to three methods."""
