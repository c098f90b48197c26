"""Reads the settings for commands that perform one action and exit."""

from __future__ import annotations

import os
from collections.abc import Callable

from dotenv import dotenv_values

from scheduler_service.config.loading import load_settings
from scheduler_service.config.settings import ENV_FILE, Settings
from scheduler_service.config.unknown import unknown_settings
from scheduler_service.console import render
from scheduler_service.console.exit_codes import RefusedError
from scheduler_service.errors import FieldProblem


def read_settings(load: Callable[[], Settings] = load_settings) -> Settings:
    """Return the settings, and print unknown ones to standard error."""
    settings = load()
    if unknown := unknown_settings():
        render.note(f"warning: unknown settings are ignored: {unknown}")
    return settings


def check_address_source(api_key: str | None) -> None:
    """Raise `RefusedError` if the user's key would be sent to an address from the `.env` file in this directory.

    The author of that file would receive the key, and another user may have created the directory.
    """
    exported = api_key or os.environ.get("API_KEY") or os.environ.get("API_KEY_FILE")
    written = {name.upper(): value for name, value in dotenv_values(ENV_FILE, encoding="utf-8").items() if value}
    given = {name.upper() for name, value in os.environ.items() if value}
    pointing = [name for name in _ADDRESS_VARIABLES if name in written and name not in given]
    if exported and pointing and written.get("API_KEY") != exported:
        raise RefusedError(
            FieldProblem(
                pointing[0],
                f"only {ENV_FILE} names this address, and the API key comes from elsewhere; "
                f"name the address with --url or SCHEDULER_URL, or write API_KEY into {ENV_FILE}",
            )
        )


_ADDRESS_VARIABLES = ("SCHEDULER_HOST", "SCHEDULER_PORT")
