"""The pages in the bar, each with its path and the scope that it needs."""

from __future__ import annotations

MAIN = (
    ("jobs", "/ui/jobs", "read"),
    ("runs", "/ui/runs", "read"),
    ("ledger", "/ui/ledger", "read"),
)
MORE = (("simulate", "/ui/simulate", "read"),)
