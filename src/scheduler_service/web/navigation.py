"""The pages in the bar, each with its path and the scope that it needs."""

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
)
