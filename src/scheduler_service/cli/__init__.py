"""The command `scheduler`: a client of the HTTP API, and the ways to start the service."""
