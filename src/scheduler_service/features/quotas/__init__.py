"""Quotas of owners: what each may use, and what it uses."""
