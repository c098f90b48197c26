"""What each attempt of a job may use, as clients write it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from scheduler_service.payloads.numbers import Whole
from scheduler_service.services.input_models import DefinitionModel


class JobLimits(DefinitionModel):
    """Limits of each attempt, for all its processes together."""

    memory_mb: Annotated[
        int,
        Field(ge=16, le=1_048_576, description="Memory in MiB, 16 to 1,048,576. Default 512."),
        Whole,
    ] = 512
    cpu_seconds: Annotated[
        int,
        Field(ge=1, le=604_800, description="Processor time in seconds, 1 to 604,800 (7 days). Default 300."),
        Whole,
    ] = 300
    processes: Annotated[
        int,
        Field(ge=1, le=4096, description="Processes and threads at the same time, 1 to 4,096. Default 64."),
        Whole,
    ] = 64
    disk_mb: Annotated[
        int,
        Field(ge=1, le=1_048_576, description="Space for files in MiB, 1 to 1,048,576. Default 256."),
        Whole,
    ] = 256
    output_kb: Annotated[
        int,
        Field(
            ge=1,
            le=65_536,
            description="Output that is kept, in KiB, 1 to 65,536. Of longer output the middle is left out. "
            "Default 1,024.",
        ),
        Whole,
    ] = 1024
    artifacts_mb: Annotated[
        int,
        Field(
            ge=0,
            le=1_048_576,
            description="Size of all artifacts together in MiB, 0 to 1,048,576. They count for `disk_mb` too. "
            "Default 64.",
        ),
        Whole,
    ] = 64
    grace_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=300,
            description="How long a cancelled or timed-out attempt may go on after SIGTERM, before it is killed. In "
            "seconds, 0 to 300. A worker that shuts down waits for it, too. Default 2.",
        ),
    ] = 2.0
    network: Annotated[bool, Field(description="Whether the code may use the network. Default false.")] = False
