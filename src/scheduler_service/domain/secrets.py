"""The secrets that a job uses, and where its code finds them.

A job maps names to secrets: `{"PGPASSWORD": "warehouse-password", "./certs/db.pem": "warehouse-certificate"}`. A name
that begins with `./` is a file in the working directory; any other is an environment variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from scheduler_service.errors import SchedulerError

FILE_PREFIX = "./"
SECRET_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


class SecretRefusedError(SchedulerError):
    """A run cannot have a secret that its job uses; the text says which and why."""


def file_name_of(target: str) -> str | None:
    """Return the name of the file that a secret is written to, or None if it goes to a variable."""
    return target.removeprefix(FILE_PREFIX) if target.startswith(FILE_PREFIX) else None


def variables_of(secrets: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with secrets. `values` has the value of each secret by its name."""
    return {target: values[name] for target, name in secrets.items() if file_name_of(target) is None}


def files_of(secrets: Mapping[str, str], values: Mapping[str, str]) -> dict[str, bytes]:
    """Return the files with secrets. `values` has the value of each secret by its name."""
    targets = ((file_name_of(target), name) for target, name in secrets.items())
    return {file: values[name].encode() for file, name in targets if file is not None}
