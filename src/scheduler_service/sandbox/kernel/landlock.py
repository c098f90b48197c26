"""Landlock: the files, TCP ports and processes that a job can reach; see landlock(7)."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable
from contextlib import suppress
from functools import cache

from scheduler_service.sandbox.kernel.syscalls import invoke

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER = 1 << 13
MAKE_SOCKET = 1 << 9
MAKE_DEVICE = 1 << 6 | 1 << 11  # character and block devices
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15
READ = EXECUTE | READ_FILE | READ_DIR
WRITE_DEVICE = READ_FILE | WRITE_FILE | TRUNCATE
EVERYTHING_TO_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""All file access rights that exist since each ABI."""

SCOPE_ABI = 6  # Linux 6.12
TCP_ABI = 4  # Linux 6.7
BIND_TCP, CONNECT_TCP = 1, 2
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1, 2

_ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
_GET_VERSION = 1
_RULE_PATH, _RULE_PORT = 1, 2


_ATTRIBUTES = struct.Struct("=QQQ")  # struct landlock_ruleset_attr: access to files, to the network, scopes
_PATH_RULE = struct.Struct("=Qi")  # struct landlock_path_beneath_attr: allowed access, descriptor
_PORT_RULE = struct.Struct("=QQ")  # struct landlock_net_port_attr: allowed access, port


@cache
def abi() -> int:
    """Return the Landlock ABI of the running kernel; 0 if it has none."""
    try:
        return invoke("landlock_create_ruleset", None, 0, _GET_VERSION)
    except OSError:
        return 0


def scope_signals() -> bool:
    """Restrict signals of this process and its descendants to each other. Return False if the kernel cannot do so.

    Nothing else changes. Needs no_new_privs.
    """
    if abi() < SCOPE_ABI:
        return False
    attributes = _ATTRIBUTES.pack(_REFER, 0, SCOPE_SIGNALS)
    ruleset = invoke("landlock_create_ruleset", attributes, len(attributes), 0)
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    # Every domain that does not allow it denies moving files to another directory.
    invoke("landlock_add_rule", ruleset, _RULE_PATH, _PATH_RULE.pack(_REFER, root), 0)
    invoke("landlock_restrict_self", ruleset, 0)
    os.close(root)
    os.close(ruleset)
    return True


class Ruleset:
    """Allowed accesses. Once enforced, all others to files, TCP, abstract sockets and processes are denied."""

    def __init__(self, descriptor: int | None = None) -> None:
        """Begin without any, or take over those behind the descriptor of another process's ruleset."""
        self._abi = abi()
        self._rights = max(rights for since, rights in EVERYTHING_TO_ABI.items() if since <= max(1, self._abi))
        self.descriptor = self._create() if descriptor is None else descriptor

    def _create(self) -> int:
        attributes = _ATTRIBUTES.pack(
            self._rights,
            BIND_TCP | CONNECT_TCP if self._abi >= TCP_ABI else 0,
            SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS if self._abi >= SCOPE_ABI else 0,
        )
        return invoke("landlock_create_ruleset", attributes, len(attributes), 0)

    def allow(self, paths: Iterable[str], rights: int) -> None:
        """Allow `rights` on each path and all below it. A path that does not exist is left out."""
        for path in paths:
            with suppress(FileNotFoundError, PermissionError, NotADirectoryError):
                self._allow_path(path, rights)

    def allow_everything_below(self, path: str, without: int = 0) -> None:
        """Allow all accesses but ioctl(2) on devices and those in `without`. Raise OSError if `path` does not exist."""
        self._allow_path(path, self._rights & ~IOCTL_DEV & ~without)

    def allow_reading(self, descriptor: int) -> None:
        """Allow reading what is open, and all below it if it is a directory."""
        self._allow(descriptor, READ)

    def allow_everything(self, descriptor: int, without: int = 0) -> None:
        """Allow all uses but `without` of what is open, and of all below it if it is a directory."""
        self._allow(descriptor, self._rights & ~IOCTL_DEV & ~without)

    def allow_connecting_to(self, ports: Iterable[int]) -> None:
        """Allow outgoing TCP connections to `ports`, wherever they lead."""
        for port in ports:
            self._add(_RULE_PORT, _PORT_RULE.pack(CONNECT_TCP, port))

    def enforce(self) -> None:
        """Enforce the rules on this thread and all it will ever start. Needs no_new_privs."""
        invoke("landlock_restrict_self", self.descriptor, 0)
        os.close(self.descriptor)

    def _allow_path(self, path: str, rights: int) -> None:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            self._allow(parent, rights)
        finally:
            os.close(parent)

    def _allow(self, parent: int, rights: int) -> None:
        usable = self._rights if stat.S_ISDIR(os.fstat(parent).st_mode) else self._rights & _ON_FILES
        self._add(_RULE_PATH, _PATH_RULE.pack(rights & usable, parent))

    def _add(self, kind: int, rule: bytes) -> None:
        invoke("landlock_add_rule", self.descriptor, kind, rule, 0)
