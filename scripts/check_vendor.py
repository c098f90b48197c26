"""Checks that the files of others in the web interface are those of `vendor.lock`, by their SHA-256."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

WEB = Path(__file__).parents[1] / "src" / "scheduler_service" / "web"


def find_faults(web: Path = WEB) -> list[str]:
    """Return what is wrong: a changed, a missing or an unlisted file."""
    locked = {entry["file"]: entry["sha256"] for entry in json.loads((web / "vendor.lock").read_text())}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (web / "static/vendor").iterdir()}
    faults = [f"{name}: in vendor.lock, but not in static/vendor" for name in locked.keys() - found.keys()]
    faults += [f"{name}: not in vendor.lock" for name in found.keys() - locked.keys()]
    faults += [f"{name}: changed" for name in locked.keys() & found.keys() if locked[name] != found[name]]
    return sorted(faults)


if __name__ == "__main__":
    for fault in (faults := find_faults()):
        print(fault)
    sys.exit(bool(faults))
