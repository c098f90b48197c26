"""The settings of the service, from the environment, `.env` and secret files."""
