"""The audit trail: who changed what, from where, and which attempts were refused.

Theory of operation. Every operation that changes something writes its entry in the transaction of the change, so there
is no change without an entry and no entry without a change. This package reads the trail, deletes old entries, and
stores refused attempts (401 and 403), up to a limit a minute, because anybody can cause them.
"""
