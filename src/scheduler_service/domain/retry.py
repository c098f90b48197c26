"""How often, and after how long, a failed attempt is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with a ceiling; spans are seconds, `jitter` is a share of the delay (0.1: ± 10 %)."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "allow_inf_nan": False}

    max_retries: Annotated[int, Ge(0), Le(100)] = 0
    retry_delay: Annotated[float, Ge(0), Le(86_400)] = 60
    backoff_factor: Annotated[float, Ge(1), Le(100)] = 2.0
    max_delay: Annotated[float, Ge(0), Le(604_800)] = 3600
    jitter: Annotated[float, Ge(0), Le(1)] = 0.1

    def allows(self, retries_done: int) -> bool:
        """Whether one more retry may follow `retries_done` of them."""
        return retries_done < self.max_retries

    def delay(self, attempt: int, random: float) -> float:
        """Return the seconds to wait after failed attempt number `attempt` (the first is 1).

        `random` in [0, 1) picks the place within the jitter; 0.5 means none. Jitter may exceed `max_delay`, since
        retries that all sit at the ceiling are those that most need to be spread.
        """
        return self._backoff(attempt) * (1 + self.jitter * (2 * random - 1))

    def _backoff(self, attempt: int) -> float:
        try:
            return min(self.max_delay, self.retry_delay * float(self.backoff_factor) ** (attempt - 1))
        except OverflowError:  # float ** int raises where it would pass 1.8e308
            return self.max_delay if self.retry_delay else 0.0
