"""Every pair of SQL verbs, stepped through all orders of their statements."""
