"""Forks of processes that run Python code, without most of what CPython itself does for that.

os.fork() prepares the child for the case that other threads held locks, which costs as much as the fork. Where no other
thread exists, nobody holds any. What is left is what modules have asked for with os.register_at_fork(). Their functions
are recorded while they are imported, and called around a bare fork. That of `threading` is the exception: without other
threads, all that it changes is the kernel's id of the main thread.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from scheduler_service.sandbox.kernel.syscalls import fork_bare

_WITH_HOOKS = ("threading", "random")
"""The modules of which one is there if any has registered a function already: others import these."""

_REGISTER = "register_at_fork"

Hook = Callable[..., object]


class ForkHooks:
    """The functions that the modules of this process run around a fork."""

    def __init__(self) -> None:
        self._hooks: list[dict[str, Hook]] = []
        self._is_complete = not any(name in sys.modules for name in _WITH_HOOKS)
        self._is_bare = False

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record the functions that are registered while the block runs."""
        original = os.register_at_fork

        def register(**hooks: Hook) -> None:
            original(**hooks)
            self._hooks.append(hooks)

        setattr(os, _REGISTER, register)
        try:
            yield
        finally:
            setattr(os, _REGISTER, original)
        self._is_bare = self._is_complete and len(os.listdir("/proc/self/task")) == 1

    def fork(self) -> int:
        """Fork a process that runs Python code. The caller has no more threads than after `recorded`."""
        if not self._is_bare:
            return os.fork()
        self._call("before", reversed(self._hooks))
        pid = -1
        try:
            pid = fork_bare()
        finally:
            self._call("after_in_child" if pid == 0 else "after_in_parent", self._hooks)
        return pid

    def _call(self, name: str, hooks: Iterable[dict[str, Hook]]) -> None:
        for each in hooks:
            hook = each.get(name)
            if hook is not None:
                with suppress(Exception):  # as around os.fork()
                    if hook.__module__ == "threading":
                        _note_main_thread(hook)
                    else:
                        hook()


def _note_main_thread(hook: Hook) -> None:
    set_id = getattr(sys.modules["threading"].main_thread(), "_set_native_id", None)
    if set_id is None:
        hook()
    else:
        set_id()
