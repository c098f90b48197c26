"""Waiting for several descriptors with a deadline, without an event loop: asyncio would make every fork slower."""

from __future__ import annotations

import math
import select
import time
from collections.abc import Sequence


def wait_for_descriptors(descriptors: list[int], deadline: float = math.inf, hang_up: Sequence[int] = ()) -> list[int]:
    """Wait until one of `descriptors` is readable, or until one of `hang_up` has no writers. Return which.

    `deadline` is on the monotonic clock. One that has passed makes this a check that does not wait.
    """
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    for descriptor in hang_up:
        poll.register(descriptor, 0)  # POLLHUP is always reported (poll(2)), and unread output must not wake us
    timeout = None if deadline == math.inf else max(0.0, deadline - time.monotonic()) * 1000
    return [descriptor for descriptor, _ in poll.poll(timeout)]
