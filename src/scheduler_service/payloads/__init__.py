"""The kinds of payload: one file a kind."""
