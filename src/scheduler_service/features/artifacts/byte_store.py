"""The bytes of artifacts outside the database: in a directory, or in an object store."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from scheduler_service.config.directories import make_own_directory
from scheduler_service.config.web_address import without_passwords
from scheduler_service.errors import ConfigurationError

CHUNK_BYTES = 256 * 1024
_PIECE_BYTES = 4 * 1024 * 1024
LIBRARY = "obstore"
_QUERY = re.compile(r"\?\S+")

Chunks = Callable[[], Iterator[bytes]]
"""Starts to read the bytes to store from their beginning. Blocks on the disk."""


class ByteStoreError(Exception):
    """Bytes could not be stored, read or deleted. The message says why."""


class ByteStore(Protocol):
    """Keeps bytes under keys. Every method can raise `ByteStoreError`."""

    async def put(self, key: str, chunks: Chunks) -> None:
        """Store bytes completely, or raise an error."""
        ...

    def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` to `end`, which is not included."""
        ...

    async def delete(self, key: str) -> None:
        """Delete bytes. A key without bytes is no error."""
        ...


class DirectoryStore:
    """Keeps bytes as files in a directory, which only this user can read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def put(self, key: str, chunks: Chunks) -> None:
        """Store bytes. They are on the disk when the call returns."""
        try:
            await asyncio.to_thread(self._write, self._path(key), chunks)
        except OSError as error:
            raise ByteStoreError(f"{error.strerror or error}") from error

    async def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield bytes of a file."""
        try:
            file = await asyncio.to_thread(self._path(key).open, "rb")
            try:
                while start < end:
                    chunk = await asyncio.to_thread(os.pread, file.fileno(), min(CHUNK_BYTES, end - start), start)
                    if not chunk:
                        raise ByteStoreError("the file is shorter than it was")
                    start += len(chunk)
                    yield chunk
            finally:
                file.close()
        except OSError as error:
            raise ByteStoreError(f"{error.strerror or error}") from error

    async def delete(self, key: str) -> None:
        """Delete a file, and what an interrupted `put` has left."""
        path = self._path(key)
        try:
            for each in (path, _unfinished(path)):
                await asyncio.to_thread(each.unlink, missing_ok=True)
        except OSError as error:
            raise ByteStoreError(f"{error.strerror or error}") from error

    def _path(self, key: str) -> Path:
        return self._directory / key[:2] / key  # no directory of the file system becomes long

    def _write(self, path: Path, chunks: Chunks) -> None:
        make_own_directory(path.parent)
        unfinished = _unfinished(path)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.writelines(chunks())
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)


class ObjectStore:
    """Keeps bytes in an object store, through the library `obstore`, which reads credentials from the environment."""

    def __init__(self, url: str) -> None:
        """Raise `ConfigurationError` if the library is not installed or does not know the URL."""
        try:
            self._library: Any = import_module(LIBRARY)
            self._store = import_module(f"{LIBRARY}.store").from_url(url)
        except ImportError:
            raise ConfigurationError(
                f"SCHEDULER_ARTIFACTS_URL: {urlsplit(url).scheme}:// needs the package {LIBRARY}; "
                "install scheduler-service[artifacts]"
            ) from None
        except Exception as error:  # noqa: BLE001 (its errors have no common base)
            raise ConfigurationError(f"SCHEDULER_ARTIFACTS_URL: {_first_line(error)}") from None

    async def put(self, key: str, chunks: Chunks) -> None:
        """Store bytes as an object. The library retries."""
        await self._call(lambda: self._library.put(self._store, key, chunks()))

    async def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield bytes of an object, each piece by a request of its own."""
        while start < end:
            until = min(end, start + _PIECE_BYTES)
            piece = bytes(await self._call(partial(self._library.get_range, self._store, key, start=start, end=until)))
            start = until
            yield piece

    async def delete(self, key: str) -> None:
        """Delete an object."""
        await self._call(lambda: self._delete(key))

    def _delete(self, key: str) -> None:
        with suppress(FileNotFoundError):
            self._library.delete(self._store, key)

    async def _call(self, call: Callable[[], Any]) -> Any:
        """Make a call in a thread.

        The library's own asynchronous calls end in threads that outlive them, and abort the process if it ends then.
        """
        try:
            return await asyncio.to_thread(call)
        except Exception as error:
            raise ByteStoreError(_first_line(error)) from error


def open_url(url: str) -> ByteStore:
    """Return the store at a URL: a directory for `file:`, otherwise an object store."""
    parsed = urlsplit(url)
    return DirectoryStore(Path(unquote(parsed.path))) if parsed.scheme == "file" else ObjectStore(url)


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _first_line(error: Exception) -> str:
    """Return the beginning of an error without the secrets of URLs: passwords, and queries that hold signatures."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return _QUERY.sub("?…", without_passwords(line))[:300]
