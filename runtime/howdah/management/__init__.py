"""Looking after runs, tasks, queues and nodes: whatever the command line does is a method here first.

Reads go through SQL views and functions whose columns are a stable contract (sql/views); none of them counts or scans a big table.
"""
