"""Which version this is."""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    """Return the version of the installed package; one that runs from its source alone has none."""
    try:
        return metadata.version("scheduler-service")
    except metadata.PackageNotFoundError:
        return "0+source"
