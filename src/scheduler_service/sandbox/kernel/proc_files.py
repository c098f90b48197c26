"""Files of /proc, read and written without the buffers of `open`, which cost more than the kernel's part.

Where `open` is used, the encoding is UTF-8, which is a part of the interpreter. Another one would be imported when it
is first used, which a supervisor cannot do if it acts as a user who may not read the files of Python.
"""

from __future__ import annotations

import os

_CHUNK_BYTES = 1 << 16


def read_proc(path: str) -> bytes:
    """Return the contents of a file. Raise OSError if it cannot be read."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        contents = os.read(file, _CHUNK_BYTES)
        while part := os.read(file, _CHUNK_BYTES):
            contents += part
        return contents
    finally:
        os.close(file)


def write_proc(path: str, text: str) -> None:
    """Write to a file in one call. Raise OSError if the kernel refuses."""
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)
