"""All code that executes SQL."""
