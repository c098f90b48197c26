"""Artifacts: files that runs leave, kept with them and served to those who may see the run.

Theory of operation. The bytes of an artifact lie in one of three places, which its row names: a directory of the
service, an object store, or the row itself. A file cannot be part of a database transaction, so rows lead: a row is
stored first, without a run. Then the bytes are stored under the row's random id. Only then one transaction, under the
attempt's lease, gives the rows to the run and takes the rows of the attempt before away from it.

A row without a run is garbage, whatever made it so: an upload that a crash interrupted, a stale attempt, a later
attempt, or the deletion of the run, by which the database sets the run to NULL. The sweeper deletes the bytes of
garbage, then its row. Nothing else is ever listed or compared, so it costs nothing to have a large store.
"""
