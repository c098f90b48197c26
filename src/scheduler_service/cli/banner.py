"""The text that a serving process prints for the person who started it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY
from scheduler_service.config.settings import Settings
from scheduler_service.config.web_address import url_of
from scheduler_service.console.exit_codes import drop_output

_USUAL_PORT = Settings.model_fields["port"].default
_EXAMPLE = {
    "name": "hello",
    "schedule_expr": "10s",
    "payload": {"type": "python_code", "code": "import numpy as np; print(np.pi)"},
}


def print_now(text: str) -> None:
    """Write to standard output and flush; standard error is reserved for the log.

    A closed standard output is ignored.
    """
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError:
        drop_output()


def banner_text(settings: Settings, port: int, also: Sequence[str] = ()) -> str:
    """Return a text that says where the service is, how to authenticate and what to try. It contains no private key.

    `also` are lines about other processes of the same installation.
    """
    url = url_of(settings.host, port)
    is_public = settings.api_key.get_secret_value() == DEVELOPMENT_API_KEY
    header = f"'X-API-Key: {DEVELOPMENT_API_KEY}'" if is_public else '"X-API-Key: $API_KEY"'
    remark = "development key; set API_KEY to use your own" if is_public else "your API_KEY"
    command = "scheduler" if shutil.which("scheduler") else sys.argv[0]
    where = "" if port == _USUAL_PORT else f" --url {url}"
    interface = "" if settings.ui == "off" else f"\n  Open     {url}/ui/"
    lines = "".join(f"\n  {line}" for line in (also or _own_roles(settings)))
    return f"""
Scheduler Service is running. Press Ctrl-C to stop it.
{interface}
  API      {url}/api/v1
  Docs     {url}/docs
  Key      -H {header}  ({remark}){lines}

To create a first job, paste this into another terminal:

  curl -s {url}/api/v1/jobs -H {header} -H 'Content-Type: application/json' \\
    -d '{json.dumps(_EXAMPLE)}'
  {command} runs list{where}
"""


def _own_roles(settings: Settings) -> tuple[str, ...]:
    """Return the line that says what runs in this process, and where its data is."""
    if settings.is_distributed:
        return ("Runs     the API; jobs run once beats and workers have started as well",)
    where = "in the database of DATABASE_URL" if settings.database_url else f"in {settings.data_dir}"
    slots = f"{settings.slots} {'slot' if settings.slots == 1 else 'slots'}"
    return (f"Runs     API, dispatcher and a worker with {slots} in this process, with the data {where}",)
