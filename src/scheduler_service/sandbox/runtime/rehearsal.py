"""What a zygote does once, so that no process of a job has to: CPython's own adaptation to the code that it executes.

CPython replaces instructions that have been executed some times by special forms, and notes where it found an attribute
of a class. Both write to memory. In a job's process, the kernel would copy a page for each of these writes. So the
zygote executes the code that each job's process executes, as far as that has no effect, and some ordinary Python.
"""

from __future__ import annotations

import mmap
import os
import socket
import sys

from scheduler_service.sandbox.confinement.cell import Cell, Confinement, JobInputs
from scheduler_service.sandbox.confinement.limits import Baseline
from scheduler_service.sandbox.contract.access import NOTHING
from scheduler_service.sandbox.contract.protocol import RULES_WRITTEN, Order, Terms, pack_listener, pack_order, send
from scheduler_service.sandbox.kernel.call_program import CallProgram
from scheduler_service.sandbox.kernel.identity import User
from scheduler_service.sandbox.runtime.job import JobProcess, PreparedJob
from scheduler_service.sandbox.runtime.job_directory import write_file
from scheduler_service.sandbox.runtime.python_code import Interpreter
from scheduler_service.sandbox.runtime.python_end import Leftovers

_ROUNDS = 20
"""CPython 3.11 adapts code that has been called eight times, and each instruction at its next execution."""

_HERE = "."
_ORDER = pack_order(Order("python", "pass\n", (), {}, NOTHING, Terms(1.0, 1.0, 64, 60, 64, 64, -1, _HERE), {}))
_PLAIN = """
import sys
def add(*numbers, **named):
    return sum(numbers) + len(named)
words = [f"{number:.2f}" for number in range(3)]
table = {word: add(1, 2, key=word) for word in words}
print(", ".join(sorted(table)), end="", file=open("/dev/null", "w"))
print(end="")
"""
_NUMPY = """
import numpy as np
table = np.arange(8.0).reshape(4, 2)
sums = (table * table + table ** 2 - 1).sum(axis=1)
found = (sums <= 4).mean(), np.sqrt(abs(sums)).max(), table @ table.T, f"{sums.std():.3f}", str(table)
drawn = np.random.default_rng(1).random((4, 2)), np.random.default_rng(1).normal(size=4)
"""


def rehearse_job(user: User) -> None:
    """Go through the steps of a job's process with an order that changes nothing, and without any layer."""
    error_stream = os.dup(2)
    confinement = Confinement(frozenset(), user, None, None)
    job = JobProcess(confinement, mmap.mmap(-1, mmap.PAGESIZE), (0, 0), None)
    for _ in range(_ROUNDS):
        _rehearse_confinement(job, confinement)
        pack_listener(3, NOTHING)
        write_file(os.devnull, b"x")
    os.dup2(error_stream, 2)
    os.close(error_stream)


def rehearse_script(interpreter: Interpreter) -> None:
    """Execute ordinary code, and the checks at the end of a script. Our own objects must be frozen."""
    leftovers = Leftovers(mmap.mmap(-1, mmap.PAGESIZE), interpreter.libraries)
    for _ in range(_ROUNDS):
        exec(compile(_PLAIN, "job.py", "exec"), {})  # noqa: S102
        if "numpy.random" in sys.modules:
            exec(compile(_NUMPY, "job.py", "exec"), {})  # noqa: S102
        leftovers.are_harmless()


def _rehearse_confinement(job: JobProcess, confinement: Confinement) -> None:
    service, orders = socket.socketpair()
    supervisor, channel = socket.socketpair()
    with service, orders, supervisor, channel:
        supervisor.send(RULES_WRITTEN)
        output = os.dup(1)
        send(service, _ORDER, [output])
        os.close(output)
        inputs = JobInputs(_plain(orders), _plain(channel), None, None, None)
        cell = Cell(confinement, Baseline(0, 0), inputs)
        job.confine(PreparedJob(CallProgram(), inputs.orders, inputs.channel, None, cell))
        inputs.orders.close()
        inputs.channel.close()


def _plain(sock: socket.socket) -> socket.SocketType:
    return socket.SocketType(sock.family, sock.type, sock.proto, sock.detach())
