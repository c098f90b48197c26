"""The payload kinds, one module for each kind."""
