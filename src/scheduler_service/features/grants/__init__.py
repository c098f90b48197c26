"""Grants: what an operator lets jobs reach beyond the sandbox, by name, in one file."""
