"""Asks for known vulnerabilities of what a lock names, and says so when nobody could be asked.

pip-audit counts a package that the service does not know as skipped, and ends well when all are skipped: that is what
an index mirror without PyPI's JSON interface looks like. With AUDIT_REQUIRED=1 this is a failure, as it has to be
where the network is known to be open.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any


def main(lock: str) -> int:
    """Audit the lock and print what was found; returns the exit code."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", lock, "--require-hashes", "--disable-pip"]
    audit = subprocess.run([*command, "--format=json"], capture_output=True, text=True, check=False)
    try:
        packages = json.loads(audit.stdout)["dependencies"]
    except ValueError:
        return _not_audited(audit.stderr.strip().splitlines()[-1:])
    found = [
        f"{_name(package)}: {flaw['id']}, {_mended(flaw)}" for package in packages for flaw in package.get("vulns", [])
    ]
    skipped = [package["skip_reason"] for package in packages if "skip_reason" in package]
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{lock}: {len(packages) - len(skipped)} of {len(packages)} packages audited, {len(found)} vulnerabilities")
    return 1 if found else _not_audited(skipped[:1]) if skipped else 0


def _name(package: dict[str, Any]) -> str:
    return f"{package['name']} {package['version']}"


def _mended(flaw: dict[str, Any]) -> str:
    return f"mended in {', '.join(flaw['fix_versions'])}" if flaw["fix_versions"] else "not mended yet"


def _not_audited(reasons: list[str]) -> int:
    print("NOT AUDITED: the vulnerability service cannot be asked from here.", *reasons)
    return int(os.environ.get("AUDIT_REQUIRED") == "1")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
