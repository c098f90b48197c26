"""Celery alone: `celery -A benchmarks.shared.plain_celery worker`. Its broker is what CELERY_BROKER_URL says.

One task does nothing. The other is what a naive worker does: it runs a process and stores a row.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import asyncpg
from celery import Celery
from redis import Redis

FIRST, LAST = "first", "last"
PROGRAM, DATABASE = "BENCHMARK_PROGRAM", "BENCHMARK_DATABASE"
"""Variables of the naive task: the Python program, and the database of the row."""
TABLE = "CREATE TABLE naive_runs (number integer, output text)"
_ENDED = "ended"

app = Celery("plain")
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)


@app.task(name="nothing")  # type: ignore[untyped-decorator]
def nothing(number: int, count: int) -> None:
    """Do nothing, but note on the broker when the first and the last of `count` did."""
    if number in {0, count - 1}:
        _note(LAST if number else FIRST)


@app.task(name="naive")  # type: ignore[untyped-decorator]
def naive(number: int, count: int) -> None:
    """Run the program, store its output, and note on the broker when the first and the last of `count` ended."""
    ended = subprocess.run([sys.executable, os.environ[PROGRAM]], check=True, capture_output=True, text=True)
    asyncio.run(_store(number, ended.stdout))
    with Redis.from_url(app.conf.broker_url) as notes:
        done = notes.incr(_ENDED)
        if done == count:
            notes.delete(_ENDED)
    if done in {1, count}:
        _note(LAST if done == count else FIRST)


async def _store(number: int, output: str) -> None:
    connection = await asyncpg.connect(os.environ[DATABASE].replace("+asyncpg", ""))
    await connection.execute("INSERT INTO naive_runs VALUES ($1, $2)", number, output)
    await connection.close()


def _note(key: str) -> None:
    with Redis.from_url(app.conf.broker_url) as notes:
        notes.set(key, time.time())
