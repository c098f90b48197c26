"""What commands of every noun share: the client of the API, options, documents, tables, exit codes."""
