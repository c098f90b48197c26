"""Features: each noun that the core can do without, with its tables, rules, loops, routes and commands in one room."""
