"""Run the zygote between the start of an interpreter and the script that the interpreter runs.

The service starts each zygote as `python job.py`, with this directory in PYTHONPATH, so `site` imports this module.
It appends one path hook. The interpreter's main function calls path hooks with the name of its script, right before it
runs the script, when no Python frame exists. In the zygote the hook does not return. In the process of a Python job it
returns, and the main function goes on: it runs the `job.py` that it finds in its working directory, as any script.
CPython itself therefore reads, runs and ends the job's code; nothing of that is imitated here.

The hook comes last in the list because the main function counts the hooks before it calls the first one.
"""

from __future__ import annotations

import os
import sys
import types

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself would take longer to import than all the rest
    from collections.abc import Callable
    from typing import NoReturn

CONTROL = "ZYGOTE_CONTROL"
"""Environment variable with the number of the zygote's control socket."""
PACKAGES = "ZYGOTE_PACKAGES"
"""Environment variable with a directory on the module path whose code the zygote must not run, or with nothing."""


def _run_zygote(path: str) -> NoReturn:
    """Raise ImportError in the process of a job, which means "not my path" to the interpreter. Exit elsewhere."""
    sys.path_hooks.remove(_run_zygote)
    try:
        _import_main()(int(os.environ[CONTROL]))
    except BaseException:  # noqa: BLE001 (the interpreter would add a misleading line)
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    raise ImportError(path=path)


def _import_main() -> Callable[[int], None]:
    """Import the zygote without the packages above it: any interpreter will do, and the zygote stays small."""
    sandbox = os.path.dirname(os.path.dirname(_DIRECTORY))
    for name, path in (("scheduler_service", os.path.dirname(sandbox)), ("scheduler_service.sandbox", sandbox)):
        package = sys.modules[name] = types.ModuleType(name)
        package.__path__ = [path]
    from scheduler_service.sandbox.runtime.zygote import main  # noqa: PLC0415

    return main


_ENTRY = os.path.dirname(__file__)
_DIRECTORY = os.path.realpath(_ENTRY)
sys.path_hooks.append(_run_zygote)
sys.path.remove(_ENTRY)
sys.path_importer_cache.pop(_ENTRY, None)
if os.environ.get(PACKAGES):  # a package may bring a sitecustomize, too; jobs get the directory back
    sys.path[:] = [path for path in sys.path if not path.startswith(os.environ[PACKAGES])]
del sys.modules["sitecustomize"]
import sitecustomize  # type: ignore[import-not-found]  # noqa: E402,F401 (the host's own module, if it has one)
