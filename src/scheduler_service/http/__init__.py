"""What everything that speaks HTTP shares: authentication, middleware, problems, validation, messages."""
