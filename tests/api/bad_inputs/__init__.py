"""Bad inputs, a table for each kind: what is sent, and how it is refused.

Each line has a name, the place of the mistake and what is wrong. The place is a JSON pointer into the body (`#/name`),
the name of a parameter or header, or the status if it is not 422.
"""
