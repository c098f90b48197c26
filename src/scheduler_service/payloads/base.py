"""What every kind of payload is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pydantic import BaseModel, ConfigDict, JsonValue

from scheduler_service.sandbox.contract.spec import Command


class Payload(BaseModel, ABC):
    """One kind of payload: a pydantic model with a `type: Literal["…"]` field that tells the kinds apart."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @abstractmethod
    def command(self) -> Command:
        """Return the command that the sandbox runs for this payload."""

    def result(self, output: str) -> JsonValue:  # noqa: ARG002 (kinds that have a result read it)
        """Read the run's `result` from the output of a successful attempt; None for kinds that have none."""
        return None
