"""The base class of all payload kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pydantic import BaseModel, ConfigDict, JsonValue

from scheduler_service.sandbox.contract.spec import Command


class Payload(BaseModel, ABC):
    """A payload kind: a pydantic model whose field `type: Literal["…"]` names the kind."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @abstractmethod
    def command(self) -> Command:
        """Return the command that the sandbox runs."""

    def packages(self) -> tuple[str, ...]:
        """Return the requirements of the code, such as `pandas>=3`, or none if the kind has none."""
        return ()

    def result(self, output: str) -> JsonValue:  # noqa: ARG002 (kinds that have a result read it)
        """Return the run's `result` from the output of a successful attempt, or None if the kind has no result."""
        return None

    def failure(self, output: str) -> str | None:  # noqa: ARG002 (kinds that explain their failures read it)
        """Return the run's `message` from the output of an attempt that ended with another exit code than 0, or None.

        It counts only if the sandbox has no message of its own.
        """
        return None
