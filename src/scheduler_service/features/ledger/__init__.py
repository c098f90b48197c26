"""The check of the ledger: every instant that was owed has exactly one row.

Theory of operation. A trigger of the database keeps a span for each time in which a schedule is in force. A span begins
with the first instant that is owed and ends before the first one that is not. A pause, an edit, a deletion and the last
run end it. `next_run_at` of a job is always its first instant without a row, so the old value is the end of the span.
The check lists the instants of each span again, and compares them with the rows.
"""
