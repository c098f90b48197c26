"""The namespaces that all runs of a zygote share: an empty network, and a PID namespace below that of the service."""

from __future__ import annotations

import os
import socket

from scheduler_service.sandbox.kernel.syscalls import CLONE_NEWNET, CLONE_NEWPID, fork_sibling, unshare

_MADE = b"m"


def make_empty_network() -> int:
    """Return a descriptor of a new network namespace without any interface that is up, not even a loopback.

    One serves all runs, because making one takes the kernel longer than all other steps of a run. A child makes it: it
    may lack the right to return to the network of the host, which the zygote needs for jobs with network.
    """
    ours, theirs = socket.socketpair()
    maker = os.fork()
    if maker == 0:
        ours.close()
        try:
            unshare(CLONE_NEWNET)
            theirs.send(_MADE)
            theirs.recv(1)
        finally:
            os._exit(0)
    theirs.close()
    if not ours.recv(1):
        raise OSError("cannot make a network namespace")
    # The open descriptor keeps the namespace after its only process has ended (namespaces(7)).
    network = os.open(f"/proc/{maker}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    ours.close()
    os.waitpid(maker, 0)
    return network


def become_first_process() -> None:
    """Continue as process 1 of a new PID namespace, all of whose processes the kernel kills when process 1 dies.

    unshare(2) moves only children into the namespace, so a child continues. It is made a child of our own parent, and
    this process exits: an interpreter that only waited would keep copies of most pages that the child changes. The
    child's process id is written to standard output first.
    """
    unshare(CLONE_NEWPID)
    if child := fork_sibling():
        os.write(1, b"%d\n" % child)
        os._exit(0)
