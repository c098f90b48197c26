"""The fault campaign: kill the service again and again while it works, then hold the ledger against what happened."""
