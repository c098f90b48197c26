"""Brokers carry notices to workers that a run may be ready. The database decides whether it is."""
