"""The pages in the bar, each with its path and the scope that it needs, and their guides."""

from __future__ import annotations

MAIN = (
    ("home", "/ui/", "read"),
    ("jobs", "/ui/jobs", "read"),
    ("runs", "/ui/runs", "read"),
    ("ledger", "/ui/ledger", "read"),
)
MORE = (
    ("workers", "/ui/workers", "read"),
    ("simulate", "/ui/simulate", "read"),
    ("alerts", "/ui/alerts", "read"),
    ("calendars", "/ui/calendars", "read"),
    ("secrets", "/ui/secrets", "read"),
    ("quotas", "/ui/quotas", "read"),
    ("grants", "/ui/grants", "read"),
    ("environments", "/ui/environments", "read"),
    ("keys", "/ui/keys", "admin"),
    ("audit", "/ui/audit", "admin"),
    ("system", "/ui/system", "read"),
    ("docs", "/ui/docs", "read"),
)
GUIDES = {
    "home": "web-interface",
    "jobs": "cookbook",
    "runs": "running-code",
    "ledger": "monitoring#the-ledger",
    "workers": "deployment",
    "simulate": "policies",
    "alerts": "monitoring#alerts",
    "calendars": "calendars",
    "secrets": "secrets",
    "quotas": "quotas",
    "grants": "grants",
    "environments": "packages",
    "keys": "security#keys",
    "audit": "security#audit-trail",
    "system": "deployment",
}
"""The guide of each entry of the navigation."""
