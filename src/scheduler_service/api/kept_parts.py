"""Parts of JSON documents, kept in the memory of the process up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

MAX_KEPT_BYTES = 16 * 1024 * 1024
Key = TypeVar("Key", bound=Hashable)
Parts = tuple[bytes, ...]


class KeptParts(Generic[Key]):
    """Keeps parts by their keys. Beyond MAX_KEPT_BYTES, it forgets those that were not asked for longest.

    A request that has found parts holds them itself, because another request can make them be forgotten meanwhile.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Parts] = OrderedDict()
        self._bytes = 0

    def find(self, key: Key) -> Parts | None:
        """Return the parts of a key, or None if they are not kept."""
        if (parts := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
        return parts

    def put(self, key: Key, parts: Parts) -> None:
        """Keep the parts of a key, in place of those that another request may have put."""
        self._bytes += _size(parts) - _size(self._kept.pop(key, ()))
        self._kept[key] = parts
        while self._bytes > MAX_KEPT_BYTES:
            _, forgotten = self._kept.popitem(last=False)
            self._bytes -= _size(forgotten)


def _size(parts: Parts) -> int:
    return sum(map(len, parts))
