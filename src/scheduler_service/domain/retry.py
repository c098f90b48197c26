"""Decides whether a failed attempt is retried, and after which delay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with a maximum delay in seconds. `jitter` is a share of the delay: 0.1 means ± 10 %."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "allow_inf_nan": False}

    max_retries: Annotated[int, Ge(0), Le(100)] = 0
    retry_delay: Annotated[float, Ge(0), Le(86_400)] = 60
    backoff_factor: Annotated[float, Ge(1), Le(100)] = 2.0
    max_delay: Annotated[float, Ge(0), Le(604_800)] = 3600
    jitter: Annotated[float, Ge(0), Le(1)] = 0.1

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
