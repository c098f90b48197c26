"""Payloads of scripts for a shell or another interpreter of the host."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from scheduler_service.payloads.base import Payload
from scheduler_service.payloads.command_text import Source
from scheduler_service.payloads.line_endings import normalise
from scheduler_service.sandbox.contract.spec import Script


def _normalise(script: object) -> object:
    return normalise(script) if isinstance(script, str) else script


class ShellScriptPayload(Payload):
    """A script. Its shebang names the interpreter; without one it is `/bin/bash`.

    It is stored without a byte order mark and with LF instead of CRLF at the ends of lines.
    """

    model_config = ConfigDict(
        title="Shell script",
        json_schema_extra={"examples": [{"type": "shell_script", "script": "set -eu\ndf -h / | tail -1"}]},
    )

    type: Annotated[Literal["shell_script"], Field(description="Selects this kind of payload.")]
    script: Annotated[Source, Field(description="The script, at most 256 KiB."), BeforeValidator(_normalise)]

    def command(self) -> Script:
        """Return the script."""
        return Script(self.script)
