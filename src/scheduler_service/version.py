"""The version of this package."""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    """Return the version of the installed package, or `0+source` if it runs from a checkout."""
    try:
        return metadata.version("scheduler-service")
    except metadata.PackageNotFoundError:
        return "0+source"
