"""Every error that a caller is meant to handle. HTTP codes live in `api/errors.py`, exit codes in `cli/`."""

from __future__ import annotations

from dataclasses import dataclass


class SchedulerError(Exception):
    """The base of all errors of this package."""


class ConfigurationError(SchedulerError):
    """A setting is wrong or the host lacks something; the text is one line that names the setting and the remedy."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing that is wrong with one field of an input.

    `field` is a dotted path (`retry_policy.max_retries`); `message` says what is wrong and what to write instead.
    """

    field: str
    message: str
    value: object = None


class InvalidInputError(SchedulerError):
    """The caller's input cannot be accepted; nothing was stored."""

    def __init__(self, *problems: FieldProblem) -> None:
        """Keep every problem, so that the caller can mend all of them at once."""
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.problems = problems


class NotFoundError(SchedulerError):
    """There is no such thing, or it belongs to somebody else."""


class ForbiddenError(SchedulerError):
    """The caller is known but lacks a scope that the operation needs; the text names the scope."""


class ConflictError(SchedulerError):
    """The thing is there, but its state does not allow what was asked."""


class PreconditionFailedError(SchedulerError):
    """The caller's `If-Match` names a version that is no longer the current one."""


class UnavailableError(SchedulerError):
    """Something that the service needs (the database, say) does not answer just now; trying again is right."""


class LoopFailedError(SchedulerError):
    """A loop of the service met what it was not made for; the process ends, and is to be started anew."""
