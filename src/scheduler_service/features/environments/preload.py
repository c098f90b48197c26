"""Which packages of an environment a zygote may import before there is a run.

A zygote is trusted, and packages are not: the author of a job chooses them. So a zygote imports only what the service
itself may import anyway, file by file the same. The installer of the service has recorded the hashes of its files.
"""

from __future__ import annotations

import base64
import sysconfig
from functools import cache
from importlib import metadata
from pathlib import Path

from scheduler_service.features.environments.tree import files_of
from scheduler_service.sandbox.contract.environment import DEFAULT_PRELOAD

_TRUSTED = "numpy"
_DIRECTORIES = ("numpy", "numpy.libs")


def trusted_preload(hashes: dict[str, str]) -> tuple[str, ...]:
    """Return the modules to import, if their files are those of the service's own Python; none otherwise."""
    own = _own_files()
    return DEFAULT_PRELOAD if own and files_of(hashes, _DIRECTORIES) == own else ()


@cache
def _own_files() -> dict[str, str]:
    """Return the hashes of the service's own numpy by path, as recorded when it was installed."""
    try:
        distribution = metadata.distribution(_TRUSTED)
    except metadata.PackageNotFoundError:
        return {}
    if Path(str(distribution.locate_file(""))).resolve() != Path(sysconfig.get_path("platlib")).resolve():
        return {}
    files = [file for file in distribution.files or () if file.parts[0] in _DIRECTORIES]
    return {
        str(file): base64.urlsafe_b64decode(f"{file.hash.value}==").hex()
        for file in files
        if file.hash is not None and "__pycache__" not in file.parts
    }
