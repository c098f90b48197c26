"""Remembers the payloads of jobs that run often: to validate one takes longer than to claim its run."""

from __future__ import annotations

from collections import OrderedDict

from scheduler_service.domain.records import Job
from scheduler_service.payloads import registry
from scheduler_service.payloads.base import Payload

MAX_PAYLOADS = 32


class KnownPayloads:
    """The payloads of the jobs that ran last. A payload cannot change within a version of its job."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, int], Payload] = OrderedDict()

    def of(self, job: Job) -> Payload:
        """Return the payload of a job. Raise `ValidationError` if it cannot be executed here."""
        key = (job.id, job.version)
        payload = self._known.pop(key, None) or registry.adapter().validate_python(job.payload)
        self._known[key] = payload
        if len(self._known) > MAX_PAYLOADS:
            self._known.popitem(last=False)
        return payload
