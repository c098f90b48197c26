"""The command `scheduler`: a client of the HTTP API, and the commands that start the service."""
