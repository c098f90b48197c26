"""Which sandbox serves: what the operator asks for, or the best that this host can hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from scheduler_service.sandbox.environment import DEFAULT_ENVIRONMENT, PythonEnvironment
from scheduler_service.sandbox.plain import PlainSandbox
from scheduler_service.sandbox.probe import best_level, probe
from scheduler_service.sandbox.spec import Level, Sandbox
from scheduler_service.sandbox.warm import NETWORK_PORTS, WarmSandbox

Choice = Literal["auto", "strict", "standard", "none"]


def create(
    choice: Choice,
    root: Path,
    slots: int,
    environments: Sequence[PythonEnvironment] = (DEFAULT_ENVIRONMENT,),
    grace_seconds: float = 2.0,
    network_ports: Sequence[int] = NETWORK_PORTS,
    lease_seconds: float | None = None,
) -> Sandbox:
    """Make the sandbox for `slots` commands at once, with its working directories below `root`.

    `auto` probes the host, which blocks for a fraction of a second, and takes the best level that holds. The sandbox is
    not started yet; its `isolation` tells what was chosen. With `lease_seconds`, `renew` has to be called that often.
    """
    level = best_level(probe(environments[0].python)) if choice == "auto" else Level(choice)
    if level is Level.NONE:
        return PlainSandbox(root, grace_seconds, environments)
    return WarmSandbox(level, root, slots, environments, grace_seconds, network_ports, lease_seconds=lease_seconds)
