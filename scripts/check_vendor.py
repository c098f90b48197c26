"""Checks that vendored files are those of the `vendor.lock` beside them, by their SHA-256."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
WEB = ROOT / "src" / "scheduler_service" / "web"
FOLDERS = {WEB: "static/vendor", ROOT / "tests" / "browser": "vendor"}


def find_faults(folder: Path, vendored: str) -> list[str]:
    """Return what is wrong with the files in a directory of a folder: a changed, a missing or an unlisted file."""
    locked = {entry["file"]: entry["sha256"] for entry in json.loads((folder / "vendor.lock").read_text())}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / vendored).iterdir()}
    faults = [f"{name}: in vendor.lock, but not in {vendored}" for name in locked.keys() - found.keys()]
    faults += [f"{name}: not in vendor.lock" for name in found.keys() - locked.keys()]
    faults += [f"{name}: changed" for name in locked.keys() & found.keys() if locked[name] != found[name]]
    return sorted(faults)


if __name__ == "__main__":
    for fault in (faults := [fault for folder, vendored in FOLDERS.items() for fault in find_faults(folder, vendored)]):
        print(fault)
    sys.exit(bool(faults))
