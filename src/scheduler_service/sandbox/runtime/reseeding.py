"""New random numbers for numpy in a forked process, or all runs would have the same.

The standard library seeds its own after a fork. numpy's global generator is a Mersenne Twister. Its state comes from
the kernel: `seed()` would compute it, slowly, from a few bytes.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_WORDS = 624
_BYTES = 4 * _WORDS
_NAME = "MT19937"


class _State(ctypes.Structure):  # struct mt19937_state_t
    _fields_ = (("key", ctypes.c_uint32 * _WORDS), ("position", ctypes.c_int))


def find_reseeding() -> Callable[[], object]:
    """Return what gives numpy new random numbers in a forked process; it does nothing without numpy."""
    random = sys.modules.get("numpy.random")
    if random is None:
        return lambda: None
    with suppress(Exception):  # another numpy than those that are known
        if state := _find_state(random):
            return lambda: _overwrite(state)
    return lambda: _set_state(random)


def _find_state(random: Any) -> _State | None:
    """Return the state in numpy's memory: writing there copies fewer pages than numpy's own functions."""
    generator = random.mtrand._rand._bit_generator  # noqa: SLF001 (nothing else leads to the address)
    state = _State.from_address(generator.ctypes.state_address)
    name, key, position, has_gauss, _ = random.get_state()
    is_known = name == _NAME and not has_gauss and state.position == position and list(state.key) == key.tolist()
    return state if is_known else None


def _overwrite(state: _State) -> None:
    ctypes.memmove(state.key, os.urandom(_BYTES), _BYTES)
    state.position = _WORDS


def _set_state(random: Any) -> None:
    key = sys.modules["numpy"].frombuffer(os.urandom(_BYTES), "uint32")
    random.set_state((_NAME, key, _WORDS))
