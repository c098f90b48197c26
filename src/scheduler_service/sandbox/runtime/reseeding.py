"""New random numbers for a forked process, or all runs would have the same.

`random` and numpy's global generator are Mersenne Twisters. Their functions for a new seed compute a state, slowly, and
touch memory that the kernel must copy first. So the kernel writes random bytes right into the states, as a part of the
job's `CallProgram`. Where a state is not found in memory, a function sets a new one.
"""

from __future__ import annotations

import ctypes
import os
import sys
from _random import Random
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from scheduler_service.sandbox.kernel.call_program import CallProgram

_WORDS = 624
_BYTES = 4 * _WORDS
_NAME = "MT19937"


class _State(ctypes.Structure):  # struct mt19937_state_t of numpy
    _fields_ = (("key", ctypes.c_uint32 * _WORDS), ("position", ctypes.c_int))


class _RandomObject(ctypes.Structure):  # RandomObject of CPython, after its head
    _fields_ = (("position", ctypes.c_int), ("key", ctypes.c_uint32 * _WORDS))


class Reseeding:
    """Writes new states of numpy and of `generators`, those of `random`, in a process that is forked from this one."""

    def __init__(self, generators: Iterable[Random]) -> None:
        self._states: list[Any] = []
        self.functions: list[Callable[[], object]] = []
        """Those that set the states which no call can write."""
        for generator in generators:
            self._find(partial(_state_of, generator), generator.seed)
            generator.gauss_next = None  # type: ignore[attr-defined]
        if numpy := sys.modules.get("numpy.random"):
            self._find(partial(_state_of_numpy, numpy), partial(_set_state, numpy))

    def add_to(self, program: CallProgram) -> None:
        """Add calls that write the states."""
        for state in self._states:
            program.add("getrandom", ctypes.byref(state.key), _BYTES, 0)

    def run(self) -> None:
        """Set the states that no call can write."""
        for function in self.functions:
            function()

    def _find(self, find: Callable[[], Any], otherwise: Callable[[], object]) -> None:
        state = None
        with suppress(Exception):  # another version than those that are known
            state = find()
        if state is None:
            self.functions.append(otherwise)
        else:
            state.position = _WORDS  # all words of the state are used up: the next number makes new ones of it
            self._states.append(state)


def _state_of(generator: Random) -> _RandomObject | None:
    """Return the state in the object's memory; None if it is not what the object itself tells."""
    state = _RandomObject.from_address(id(generator) + object.__basicsize__)
    words = generator.getstate()
    own = words[1] if isinstance(words[1], tuple) else words  # `random.Random` has a version in front
    return state if (*state.key, state.position) == own else None


def _state_of_numpy(random: Any) -> _State | None:
    generator = random.mtrand._rand._bit_generator  # noqa: SLF001 (nothing else leads to the address)
    state = _State.from_address(generator.ctypes.state_address)
    name, key, position, has_gauss, _ = random.get_state()
    is_known = name == _NAME and not has_gauss and state.position == position and list(state.key) == key.tolist()
    return state if is_known else None


def _set_state(random: Any) -> None:
    key = sys.modules["numpy"].frombuffer(os.urandom(_BYTES), "uint32")
    random.set_state((_NAME, key, _WORDS))
