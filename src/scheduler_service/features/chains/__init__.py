"""Chains: jobs that run after other jobs.

Theory of operation. A job names its upstream jobs in the field `after`. A database trigger notes each ended run of an
upstream job in the transaction that ends it. A loop of every dispatcher takes these notes, one transaction each: it
stores the end in the round of each job below, and queues a run or writes a skipped row if the round is complete
(`domain/dependencies.py`). A crash loses no note, and no note is taken twice.

A skipped row is itself the end of an instant, so the jobs below it learn of it in the same way.
"""
