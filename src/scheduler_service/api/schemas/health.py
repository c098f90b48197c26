"""Health, as the API shows it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field

from scheduler_service.api import examples
from scheduler_service.http.answers import Answer
from scheduler_service.services.health import Component, Health, Verdict


class ComponentOut(Answer):
    """One thing that the service needs."""

    model_config = ConfigDict(title="Component")

    status: Verdict
    detail: str
    latency_ms: Annotated[float | None, Field(description="How long its answer took.")]

    @classmethod
    def of(cls, component: Component) -> Self:
        """Show a component."""
        latency = component.latency_seconds
        return cls(
            status=component.verdict,
            detail=component.detail,
            latency_ms=None if latency is None else round(latency * 1e3, 3),
        )


class HealthOut(Answer):
    """Whether the service can do its work."""

    model_config = ConfigDict(title="Health", json_schema_extra={"examples": [examples.HEALTH]})

    status: Annotated[Verdict, Field(description="The worst of all components; `degraded`: work goes on.")]
    version: str
    components: dict[str, ComponentOut]

    @classmethod
    def of(cls, health: Health, version: str) -> Self:
        """Show the health of the service."""
        return cls(
            status=health.verdict,
            version=version,
            components={component.name: ComponentOut.of(component) for component in health.components},
        )


class Alive(Answer):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: Literal["ok"] = "ok"
