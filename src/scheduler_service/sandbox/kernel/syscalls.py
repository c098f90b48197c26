"""System calls that Python's standard library does not have, each as one function that raises OSError."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
from enum import IntEnum, IntFlag
from functools import cache

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000
_CLONE_PARENT = 0x0000_8000

MNT_DETACH = 2
AT_FDCWD = -100
_AT_EMPTY_PATH, _AT_RECURSIVE = 0x1000, 0x8000
_OPEN_TREE_CLONE, _FROM_DESCRIPTOR, _TO_DESCRIPTOR = 0x1, 0x4, 0x40  # the others are MOVE_MOUNT_…_EMPTY_PATH


class Mount(IntFlag):
    """Flags of mount(2)."""

    RDONLY = 0x1
    NOSUID = 0x2
    NODEV = 0x4
    REMOUNT = 0x20
    BIND = 0x1000
    REC = 0x4000
    PRIVATE = 0x40000


class MountAttribute(IntFlag):
    """Attributes of mount_setattr(2)."""

    RDONLY = 0x1
    NOSUID = 0x2
    NODEV = 0x4


class Prctl(IntEnum):
    """Operations of prctl(2)."""

    SET_PDEATHSIG = 1
    SET_DUMPABLE = 4
    SET_SECCOMP = 22
    CAPBSET_DROP = 24
    SET_CHILD_SUBREAPER = 36
    SET_NO_NEW_PRIVS = 38
    CAP_AMBIENT = 47


_NUMBERS = {  # name: (x86_64, aarch64)
    "chdir": (80, 49),
    "clone": (56, 220),
    "close": (3, 57),
    "getrandom": (318, 278),
    "openat": (257, 56),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "setgroups": (116, 159),
    "setresgid": (119, 149),
    "setresuid": (117, 147),
    "setsid": (112, 157),
    "pivot_root": (155, 41),
    "fallocate": (285, 47),
    "setfsuid": (122, 151),
    "setfsgid": (123, 152),
    "openat2": (437, 437),
    "capset": (126, 91),
    "setns": (308, 268),
    "unshare": (272, 97),
    "close_range": (436, 436),
    "mount_setattr": (442, 442),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
    "seccomp": (317, 277),
    "pidfd_getfd": (438, 438),
    "process_vm_readv": (310, 270),
    "kcmp": (312, 272),
}
MACHINES = ("x86_64", "aarch64")
_LAST_CAPABILITY = 63
_libc = ctypes.CDLL(None, use_errno=True)
# Declared once, so that no call converts its arguments one by one: each job's process makes dozens.
_libc.syscall.argtypes = [ctypes.c_long, *[ctypes.c_void_p] * 6]
_libc.syscall.restype = ctypes.c_long
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_void_p] * 4]
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.connect.argtypes = _libc.bind.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
_libc.wait4.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
_libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
_libc_under_lock = ctypes.PyDLL(None, use_errno=True)
_UNUSED = (0, 0, 0, 0, 0, 0)


@cache
def machine() -> str:
    """Return the name of the processor. Raise OSError if its system call numbers are not known here."""
    name = platform.machine()
    if name not in MACHINES:
        raise OSError(f"the sandbox knows the system calls of {' and '.join(MACHINES)}, not of {name}")
    return name


def number_of(name: str) -> int:
    """Return the number of a system call on this processor."""
    return _NUMBERS[name][MACHINES.index(machine())]


def invoke(name: str, *arguments: object) -> int:
    """Make a system call by its name, with integers, bytes, None or ctypes objects."""
    return _checked(_libc.syscall(number_of(name), *arguments, *_UNUSED[len(arguments) :]), name)


def prctl(operation: Prctl, argument: object = 0, third: object = 0) -> int:
    """Set a property of this process, as section 2 of the manual describes it."""
    return _checked(_libc.prctl(operation, argument, third, 0, 0), operation.name)


def mount(source: str, target: str, kind: str | None, flags: int = 0, options: str = "") -> None:
    """Mount `source` on `target`, as section 2 of the manual describes it."""
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind, options or None)]
    result = _libc.mount(*words[:3], flags, words[3])
    _checked(result, f"mount {target}")


def set_mount_attributes(target: str, attributes: MountAttribute, *, recursive: bool = True) -> None:
    """Set attributes of what is mounted at `target` and, if `recursive`, of all mounts below. None is taken away."""
    structure = struct.pack("=QQQQ", attributes, 0, 0, 0)  # struct mount_attr
    flags = _AT_RECURSIVE if recursive else 0
    invoke("mount_setattr", AT_FDCWD, os.fsencode(target), flags, structure, len(structure))


def mount_descriptor(source: int, target: int, attributes: MountAttribute) -> None:
    """Mount what is open as `source`, with all mounts below it, on what is open as `target`.

    No path is looked up, so nobody can lead the mount to another place, and it never exists without its attributes.
    """
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_EMPTY_PATH | _AT_RECURSIVE
    tree = invoke("open_tree", source, b"", flags)
    try:
        structure = struct.pack("=QQQQ", attributes, 0, 0, 0)  # struct mount_attr
        invoke("mount_setattr", tree, b"", _AT_EMPTY_PATH | _AT_RECURSIVE, structure, len(structure))
        invoke("move_mount", tree, b"", target, b"", _FROM_DESCRIPTOR | _TO_DESCRIPTOR)
    finally:
        os.close(tree)


def unmount(target: str) -> None:
    """Unmount `target` and all below it, even if it is in use (MNT_DETACH)."""
    _checked(_libc.umount2(os.fsencode(target), MNT_DETACH), f"unmount {target}")


def fork_bare() -> int:
    """Fork without the functions that Python and its modules run in a child after os.fork().

    They are half of the cost of a fork: new locks, new random numbers. The child must not need either. The caller must
    have no other thread: then all locks, the interpreter's included, are in a right state in the child too.
    """
    return _checked(_libc_under_lock.fork(), "fork")


def fork_sibling() -> int:
    """Fork as `fork_bare` does. The parent of the new process is that of this one."""
    return _checked(_libc_under_lock.syscall(number_of("clone"), _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0), "clone")


def wait_into(pid: int, status: int, usage: int) -> None:
    """Wait for a child. The kernel writes its status and its usage at these addresses; see wait4(2)."""
    _checked(_libc.wait4(pid, status, 0, usage), "wait4")


def unshare(flags: int) -> None:
    """Move this process (its future children, for CLONE_NEWPID) into new namespaces."""
    invoke("unshare", flags)


def enter_namespace(descriptor: int, kind: int) -> None:
    """Move this process (its future children, for CLONE_NEWPID) into the namespace behind `descriptor`."""
    invoke("setns", descriptor, kind)


def connect_socket(descriptor: int, address: bytes) -> None:
    """Connect a socket to a `struct sockaddr`."""
    _checked(_libc.connect(descriptor, address, len(address)), "connect")


def try_to_connect(descriptor: int, address: bytes) -> int:
    """Connect a socket to a `struct sockaddr`. Return 0 or the error number: an exception costs as much as the call."""
    return ctypes.get_errno() if _libc.connect(descriptor, address, len(address)) < 0 else 0


def bind_socket(descriptor: int, address: bytes) -> None:
    """Bind a socket to a `struct sockaddr`."""
    _checked(_libc.bind(descriptor, address, len(address)), "bind")


def drop_bounding_set() -> None:
    """Empty the bounding set, so that no program can give this process or its children a capability."""
    for capability in range(_LAST_CAPABILITY):
        try:
            prctl(Prctl.CAPBSET_DROP, capability)
        except OSError:
            break  # EINVAL: beyond this kernel's last one; EPERM: without CAP_SETPCAP there is none to regain


def _checked(result: int, name: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return int(result)
