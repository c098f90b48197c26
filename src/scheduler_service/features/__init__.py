"""Features: nouns without which the core works.

Each has its tables, rules, loops, routes and commands in one package.
"""
