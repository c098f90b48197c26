"""Decides whether a failed attempt is retried, and after which delay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with a maximum delay in seconds. `jitter` is a share of the delay: 0.1 means ± 10 %."""

    __pydantic_config__: ClassVar[Any] = {
        "extra": "forbid",
        "allow_inf_nan": False,
        # The API shows the texts below the fields: pydantic itself cannot be imported here.
        "use_attribute_docstrings": True,
    }

    max_retries: Annotated[int, Ge(0), Le(100)] = 0
    """How often a failed run is retried, 0 to 100 times. Default 0: never."""
    retry_delay: Annotated[float, Ge(0), Le(86_400)] = 60
    """Wait before the first retry, in seconds, 0 to 86,400 (1 day). Default 60."""
    backoff_factor: Annotated[float, Ge(1), Le(100)] = 2.0
    """Each further retry waits this many times longer than the one before, 1 to 100. Default 2."""
    max_delay: Annotated[float, Ge(0), Le(604_800)] = 3600
    """Longest wait before a retry, in seconds, 0 to 604,800 (7 days). Default 3,600 (1 hour)."""
    jitter: Annotated[float, Ge(0), Le(1)] = 0.1
    """Random share by which a wait is shortened or prolonged, 0 to 1. Default 0.1: up to 10 %."""

    def allows(self, retries_done: int) -> bool:
        """Return whether another retry may follow `retries_done` retries."""
        return retries_done < self.max_retries

    def delay(self, attempt: int, random: float) -> float:
        """Return the seconds to wait after failed attempt `attempt`; the first attempt is 1.

        `random` in [0, 1) selects the point within the jitter; 0.5 means no jitter. Jitter can exceed `max_delay`,
        because retries that all wait for the maximum delay would otherwise run at the same time.
        """
        return self._backoff(attempt) * (1 + self.jitter * (2 * random - 1))

    def _backoff(self, attempt: int) -> float:
        try:
            return min(self.max_delay, self.retry_delay * float(self.backoff_factor) ** (attempt - 1))
        except OverflowError:  # float ** int raises above 1.8e308
            return self.max_delay if self.retry_delay else 0.0
