"""Attempts in child processes, as the node sees them. What happens inside of a child is in howdah/child.py."""
