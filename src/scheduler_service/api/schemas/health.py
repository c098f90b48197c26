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

    status: Annotated[Verdict, Field(description="`ok`, `degraded` (slower, but work goes on) or `failing`.")]
    detail: Annotated[str, Field(description="State of the component in words.")]
    latency_ms: Annotated[
        float | None, Field(description="Time that its answer took, in milliseconds. Null: not measured.")
    ]

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

    status: Annotated[
        Verdict, Field(description="Worst status of all components. `degraded`: slower, but work goes on.")
    ]
    version: Annotated[str, Field(description="Version of the service.")]
    components: Annotated[
        dict[str, ComponentOut],
        Field(description="Components by name, such as `database`, `dispatcher` and `workers`."),
    ]

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

    status: Annotated[Literal["ok"], Field(description="Always `ok`: the process answers.")] = "ok"
