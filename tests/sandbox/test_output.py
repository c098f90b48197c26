"""The output of a run: whole up to its cap, beyond that the beginning and the end."""

from __future__ import annotations

import asyncio
import os
import re

import pytest

from scheduler_service.sandbox.output import PIPE_BYTES, OutputPipe

KB = 1024
LINES = b"".join(b"line %06d\n" % number for number in range(100_000))


async def read(written: bytes, output_kb: int) -> tuple[bytes, bool]:
    """Return what is kept of `written`, and whether it is truncated."""
    kept = bytearray()

    async def keep(chunk: bytes) -> None:
        kept.extend(chunk)

    pipe = OutputPipe(output_kb, keep)
    pump = asyncio.create_task(pipe.pump())

    def write() -> None:
        left = memoryview(written)
        while left:
            left = left[os.write(pipe.write_end, left) :]

    await asyncio.to_thread(write)
    pipe.close_write_end()
    pipe.end()
    await pump
    pipe.close()
    return bytes(kept), pipe.truncated


async def test_output_is_passed_on_when_written_during_a_callback() -> None:
    kept, asked, stored = bytearray(), asyncio.Event(), asyncio.Event()

    async def store_slowly(chunk: bytes) -> None:
        asked.set()
        await stored.wait()
        kept.extend(chunk)

    pipe = OutputPipe(8 * KB, store_slowly)
    os.write(pipe.write_end, b"x" * PIPE_BYTES)
    pump = asyncio.create_task(pipe.pump())
    await asked.wait()
    os.write(pipe.write_end, b"the end\n")
    pipe.close_write_end()
    pipe.end()
    stored.set()
    await pump
    pipe.close()

    assert kept.endswith(b"xthe end\n")
    assert len(kept) == PIPE_BYTES + 8


async def test_last_lines_are_kept_when_output_exceeds_the_cap() -> None:
    kept, truncated = await read(LINES, 64)

    found = re.fullmatch(rb"(.*)\n\[(\d+) bytes of output are left out here\]\n(.*)", kept, re.DOTALL)
    assert truncated
    assert found
    beginning, count, end = found[1], int(found[2]), found[3]
    assert LINES.startswith(beginning)
    assert LINES.endswith(end)
    assert end.startswith(b"line ")
    assert len(beginning) + count + len(end) == len(LINES)
    assert 60 * KB < len(beginning) + len(end) <= 64 * KB
    assert len(end) > 8 * KB


async def test_last_line_is_cut_when_it_exceeds_the_cap() -> None:
    kept, truncated = await read(b"begun\n" + b"y" * 100_000, 4)

    assert truncated
    assert kept.startswith(b"begun\ny")
    assert kept.endswith(b"y" * KB)


@pytest.mark.parametrize("size", [0, 1, 3 * KB, 4 * KB - 1, 4 * KB])
async def test_output_is_whole_when_it_fits_the_cap(size: int) -> None:
    assert await read(LINES[:size], 4) == (LINES[:size], False)


async def test_output_is_truncated_when_one_byte_exceeds_the_cap() -> None:
    kept, truncated = await read(LINES[: 4 * KB + 1], 4)

    assert truncated
    assert b"bytes of output are left out here" in kept
