"""The channels: one module each, found by `registry`."""
