"""A grant, as the API's documentation shows it."""

from __future__ import annotations

from typing import Any

GRANT: dict[str, Any] = {
    "name": "backup",
    "description": "Nightly archives",
    "read": ["/data"],
    "write": ["/backup"],
    "connect": [],
    "sockets": [],
    "owners": ["ops"],
    "workers": ["host-4711-0a1b2c3d"],
}
