"""Runs untrusted commands; stands alone and imports nothing else of this project."""
