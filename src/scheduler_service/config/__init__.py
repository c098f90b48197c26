"""The settings, read from environment variables, `.env` and secret files."""
