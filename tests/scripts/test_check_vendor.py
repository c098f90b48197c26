"""The check of vendored files."""

from __future__ import annotations

import shutil
from pathlib import Path

from scripts.check_vendor import FOLDERS, WEB, find_faults


def test_vendored_files_are_those_of_the_lock() -> None:
    assert [find_faults(folder, vendored) for folder, vendored in FOLDERS.items()] == [[], []]


def test_changed_missing_and_unlisted_files_are_found(tmp_path: Path) -> None:
    shutil.copytree(WEB / "static/vendor", tmp_path / "static/vendor")
    shutil.copy(WEB / "vendor.lock", tmp_path)
    vendor = tmp_path / "static/vendor"
    (vendor / "htmx.min.js").write_text("changed")
    (vendor / "hx-csp.min.js").unlink()
    (vendor / "more.js").touch()
    assert [fault.partition(":")[0] for fault in find_faults(tmp_path, "static/vendor")] == [
        "htmx.min.js",
        "hx-csp.min.js",
        "more.js",
    ]
