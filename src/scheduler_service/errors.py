"""The errors that callers handle.

`http/error_responses.py` maps them to HTTP codes, `console/exit_codes.py` maps them to exit codes.
"""

from __future__ import annotations

from dataclasses import dataclass


class SchedulerError(Exception):
    """The base class of all errors of this package."""


class ConfigurationError(SchedulerError):
    """A setting is wrong or the host lacks something. The text is one line that names the setting and the remedy."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One problem with one field of an input.

    `field` is a dotted path (`retry_policy.max_retries`). `message` says what is wrong and what to write instead. The
    API's form of it is `FieldError` in `http/problems.py`, which has a JSON pointer as well.
    """

    field: str
    message: str
    value: object = None


class InvalidInputError(SchedulerError):
    """The input is invalid; nothing was stored."""

    def __init__(self, *problems: FieldProblem) -> None:
        """Keep all problems, so that the caller can report them together."""
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.problems = problems


class NotFoundError(SchedulerError):
    """The object does not exist, or it belongs to another owner."""


class ForbiddenError(SchedulerError):
    """The caller is known but lacks a scope that the operation needs; the text names the scope."""


class QuotaError(SchedulerError):
    """A quota of the owner is used up: what the text says is in use, and so much is allowed."""

    def __init__(self, message: str, *, quota: str, used: float, allowed: float) -> None:
        """Name the quota, what the owner uses of it, and what is allowed."""
        super().__init__(message)
        self.quota, self.used, self.allowed = quota, used, allowed


class RateError(QuotaError):
    """The quota of runs in a minute is used up. It is free again after `retry_after_seconds`."""

    def __init__(self, message: str, *, allowed: int, retry_after_seconds: int) -> None:
        """Keep when the next run is allowed."""
        super().__init__(message, quota="runs_per_minute", used=allowed, allowed=allowed)
        self.retry_after_seconds = retry_after_seconds


class ConflictError(SchedulerError):
    """The object's state does not allow the operation."""


class PreconditionFailedError(SchedulerError):
    """The `If-Match` header names a version that is not the current one."""


class UnavailableError(SchedulerError):
    """A dependency, such as the database, does not respond. The caller may try again."""


class LoopFailedError(SchedulerError):
    """A loop of the service failed unexpectedly. The process ends and must be restarted."""
