"""The fault campaign: kill the service again and again while it works, then check every promise."""
