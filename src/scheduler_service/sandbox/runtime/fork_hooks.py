"""Forks of processes that run Python code, without most of what CPython itself does for that.

os.fork() prepares the child for the case that other threads held locks, which costs as much as the fork. Where no other
thread exists, nobody holds any. What is left is what modules have asked for with os.register_at_fork(). Their functions
are recorded while they are imported, and called around a bare fork. Two are not, because each object that they touch
makes the kernel copy memory: without other threads, `threading` only has to note the kernel's id of the main thread,
and the generators of `random` get new states from `reseeding`.
"""

from __future__ import annotations

import os
import sys
from _random import Random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scheduler_service.sandbox.kernel.syscalls import fork_bare

_WITH_HOOKS = ("threading", "random")
"""The modules of which one is there if any has registered a function already: others import these."""

_REGISTER = "register_at_fork"

Hook = Callable[..., object]


class ForkHooks:
    """The functions that the modules of this process run around a fork."""

    def __init__(self) -> None:
        self._before: list[Hook] = []
        self._in_child: list[Hook] = []
        self._in_parent: list[Hook] = []
        self.generators: list[Random] = []
        """Those of `random`, which have the same state in a forked process unless it gets a new one."""
        self._is_complete = not any(name in sys.modules for name in _WITH_HOOKS)
        self._is_bare = False

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record the functions that are registered while the block runs."""
        original = os.register_at_fork

        def register(
            *, before: Hook | None = None, after_in_parent: Hook | None = None, after_in_child: Hook | None = None
        ) -> None:
            hooks = {"before": before, "after_in_parent": after_in_parent, "after_in_child": after_in_child}
            original(**{name: hook for name, hook in hooks.items() if hook is not None})
            self._before[:0] = [before] if before else []  # the last one is called first
            self._in_parent += [after_in_parent] if after_in_parent else []
            self._in_child += self._shortened(after_in_child) if after_in_child else []

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
        _call(self._before)
        pid = -1
        try:
            pid = fork_bare()
        finally:
            _call(self._in_parent if pid else self._in_child)
        return pid

    def _shortened(self, hook: Hook) -> list[Hook]:
        """Return what is left of a hook in a process that has no other threads."""
        owner = getattr(hook, "__self__", None)
        if type(owner).__module__ == "random" and isinstance(owner, Random):
            self.generators.append(owner)
            return []
        if getattr(hook, "__module__", "") == "threading":
            return [getattr(sys.modules["threading"].main_thread(), "_set_native_id", hook)]
        return [hook]


def _call(hooks: list[Hook]) -> None:
    for hook in hooks:
        try:
            hook()
        except Exception:  # noqa: BLE001 (as around os.fork())
            sys.excepthook(*sys.exc_info())
