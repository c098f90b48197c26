"""Turns the definitions of other schedulers into job documents, with a note about each difference in meaning."""
