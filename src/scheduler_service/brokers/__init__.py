"""Doorbells: they say that a run may be ready; the database says whether it is."""
