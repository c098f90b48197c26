"""The settings of one supervisor, which its zygote hands to it with the fork."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from scheduler_service.sandbox.confinement.cell import Confinement
from scheduler_service.sandbox.runtime.python_code import Interpreter


@dataclass(frozen=True, slots=True)
class SupervisorSetup:
    """The sockets, rules and times of one supervisor.

    `service` is its socket to the service. `orders` is the socket of the job's process to the service, which the
    supervisor only passes on. `zygote` is a pipe that hangs up when the zygote dies. `cgroups` is the directory for the
    run's cgroup, and None if the host delegates none. `fork` forks processes that run Python code. `interpreter` is
    None unless the order will be for Python code.
    """

    service: socket.socket
    orders: socket.socket
    zygote: int
    confinement: Confinement
    max_grace_seconds: float
    output_wait_seconds: float
    lease_seconds: float | None
    cgroups: int | None
    fork: Callable[[], int]
    interpreter: Interpreter | None
