"""Code that all commands share: the API client, options, documents, tables, exit codes."""
