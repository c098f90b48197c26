"""An environment, as the API's documentation shows it."""

from __future__ import annotations

from typing import Any

ENVIRONMENT: dict[str, Any] = {
    "id": "5f0c3d1e9a7b4c2d8e6f0a1b2c3d4e5f",
    "state": "ready",
    "requirements": ["pandas>=3"],
    "packages": ["numpy==2.4.6", "pandas==3.1.1", "python-dateutil==4.0.0", "tzdata==2026.6"],
    "size_bytes": 151_000_000,
    "build_seconds": 12.5,
    "created_at": "2026-01-15T10:29:00Z",
    "built_at": "2026-01-15T10:29:13Z",
    "used_at": "2026-01-15T10:29:13Z",
}
DETAIL: dict[str, Any] = {
    **ENVIRONMENT,
    "lock": "# cpython-314-x86_64-linux-gnu\nnumpy==2.4.6 --hash=sha256:0b1c…\n",
    "log": "Installed 4 packages in 60ms\n",
}
