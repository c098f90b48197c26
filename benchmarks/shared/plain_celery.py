"""Celery alone, with a task that does nothing: `celery -A benchmarks.shared.plain_celery worker`.

Its broker is what CELERY_BROKER_URL says.
"""

from __future__ import annotations

import time

from celery import Celery
from redis import Redis

FIRST, LAST = "first", "last"

app = Celery("plain")
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)


@app.task(name="nothing")  # type: ignore[untyped-decorator]
def nothing(number: int, count: int) -> None:
    """Do nothing, but note on the broker when the first and the last of `count` did."""
    if number in {0, count - 1}:
        with Redis.from_url(app.conf.broker_url) as notes:
            notes.set(LAST if number else FIRST, time.time())
