"""API keys: each belongs to one owner, has scopes, and is stored only as a keyed hash.

A key is `sk_<id>_<secret>`. The id is public and names the key in lists and logs. The secret is shown once, when the
key is created. Every process checks a key against the table at least every `FRESH_SECONDS`, so a revoked key stops
working within that time. The setting API_KEY is the bootstrap key of an administrator and is not in the table.
"""
