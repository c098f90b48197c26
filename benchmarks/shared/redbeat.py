"""RedBeat, the peer of a herd: a scheduler of Celery that keeps its entries in Redis.

It is among the peers of `benchmarks/requirements-peers.txt`, which `make bench` installs.
"""

from __future__ import annotations

import time
from datetime import timedelta
from importlib.util import find_spec

from benchmarks.shared.plain_celery import nothing
from celery import Celery
from celery.schedules import schedule
from redis import Redis

IS_INSTALLED = find_spec("redbeat") is not None
LOCK_SECONDS = 600
_QUEUE = "celery"


def seconds_of_herd(url: str, count: int) -> float:
    """Return how long RedBeat takes to send `count` tasks that are all due, in an empty Redis."""
    from redbeat import RedBeatScheduler, RedBeatSchedulerEntry  # noqa: PLC0415 (it need not be installed)

    with Celery(broker=url) as app, Redis.from_url(url) as redis:
        redis.flushdb()
        app.conf.redbeat_redis_url = url
        every_hour = schedule(timedelta(hours=1), app=app)
        due = {"args": (0, count), "last_run_at": app.now() - timedelta(hours=2), "app": app}
        for number in range(count):
            RedBeatSchedulerEntry(f"job {number}", nothing.name, every_hour, **due).save()
        scheduler = RedBeatScheduler(app)
        scheduler.lock = redis.lock("lock", timeout=LOCK_SECONDS)  # as its handler of Celery's start does
        scheduler.lock.acquire()
        before = time.perf_counter()
        scheduler.tick()
        taken = time.perf_counter() - before
        if (sent := redis.llen(_QUEUE)) != count:
            raise SystemExit(f"RedBeat sent {sent} of {count}")
    return taken
