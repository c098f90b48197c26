"""Features: kinds of objects, such as alerts, without which the core works.

Each has its tables, rules, loops, routes and commands in one package.
"""
