"""A check whether this process can answer system calls of a job, made by answering one."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from functools import partial

from scheduler_service.sandbox.broker.job_access import Processes, copy_memory, open_memory
from scheduler_service.sandbox.contract.layers import Layer
from scheduler_service.sandbox.kernel.filter_program import write_program
from scheduler_service.sandbox.kernel.identity import User, become_user, enter_user_namespace
from scheduler_service.sandbox.kernel.notifications import Listener
from scheduler_service.sandbox.kernel.seccomp import Filter
from scheduler_service.sandbox.kernel.syscall_table import ASK, BROKERED_ADDRESSES
from scheduler_service.sandbox.kernel.syscalls import MACHINES, Prctl, connect_socket, machine, prctl

_ADDRESS = b"\x01\x00not-there"


def why_not_brokered(layers: frozenset[Layer], user: User) -> str:
    """Return why system calls of a job with these layers cannot be answered; "" if they can.

    The check covers all that the broker needs: receiving a call, reading memory, copying a descriptor.
    """
    if not {Layer.SOCKET_BROKER, Layer.SECCOMP} <= layers:
        return ""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()  # a copy here would keep the child waiting if we give up
        _ask(layers, user, theirs)
    theirs.close()
    try:
        with ours:
            _answer(child, ours)
    except OSError as error:
        return f"the sandbox cannot check what the sockets of jobs reach ({error})"
    finally:
        os.waitpid(child, 0)
    return ""


def _ask(layers: frozenset[Layer], user: User, line: socket.socket) -> None:
    try:
        if Layer.OWN_USER in layers:
            become_user(user)
        if Layer.USER_NAMESPACE in layers:
            enter_user_namespace()
        prctl(Prctl.SET_NO_NEW_PRIVS, 1)
        number = BROKERED_ADDRESSES["connect"][MACHINES.index(machine())]
        filter_ = Filter(write_program({number: ASK}, [], beyond=1 << 30))
        listener = filter_.enforce_with_listener(older=False)
        line.sendall(b"%d" % listener)
        line.recv(1)
        os.close(listener)
        with socket.socket(socket.AF_UNIX) as sock:
            connect_socket(sock.fileno(), _ADDRESS)
    finally:
        os._exit(0)


def _answer(child: int, line: socket.socket) -> None:
    with ExitStack() as stack:
        processes = Processes()
        stack.callback(processes.close)
        word = line.recv(16)
        if not word:
            raise OSError("its filter cannot be put up")
        descriptor = processes.copy_descriptor(child, int(word))
        stack.callback(os.close, descriptor)
        line.sendall(b"t")
        listener = Listener(descriptor)
        call = listener.receive()
        if call is None:
            raise OSError("a call did not arrive")
        stack.callback(os.close, processes.copy_descriptor(call.pid, call.arguments[0]))
        memory = open_memory(call.pid, os.O_RDWR)
        stack.callback(os.close, memory.descriptor)
        for read in (memory.read, partial(copy_memory, call.pid)):
            if read(call.arguments[1], call.arguments[2]) != _ADDRESS:
                raise OSError("its memory reads wrong")
        listener.answer(call, 0)
