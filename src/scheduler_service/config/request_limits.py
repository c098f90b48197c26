"""The settings that limit requests and connections; `Settings` contains them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from scheduler_service.config.values import Proxies


class RequestLimitSettings(BaseSettings):
    """How many requests and connections are served, how long a request may take to arrive, and trusted proxies."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True, frozen=True)

    trusted_proxies: Proxies = ()
    """Read client addresses from the headers of these proxies: addresses or networks, by commas. Default: none."""
    max_apply_kb: Annotated[int, Field(ge=16, le=262144)] = 16384
    """Accept sets of jobs up to this size, in KiB. Default: 16384."""
    max_body_kb: Annotated[int, Field(ge=16, le=65536)] = 1024
    """Refuse larger request bodies, in KiB. Default: 1024."""
    requests_per_minute: Annotated[int, Field(ge=0, le=10_000_000)] = 30_000
    """Answer at most this many requests of each key in a minute; 0: no limit. Default: 30000."""
    wrong_keys_per_minute: Annotated[int, Field(ge=0, le=10_000_000)] = 30_000
    """Check at most this many wrong keys of each address in a minute; 0: no limit. Default: 30000."""
    max_requests: Annotated[int, Field(ge=1, le=100_000)] = 512
    """Work on at most this many requests at once in each process. Default: 512."""
    max_streams: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Keep at most this many event streams of each key open in each process. Default: 100."""
    quota_test_runs: Annotated[int, Field(ge=0, le=1000)] = 2
    """Let each owner have at most this many test runs at once. Default: 2."""
    quota_jobs: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """Let each owner have at most this many jobs; 0: no limit. Default: 0."""
    quota_min_interval_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0
    """Let schedules of each owner fire no more often than every this many seconds; 0: no limit. Default: 0."""
    quota_runs_per_minute: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    """Let each owner queue at most this many runs in a minute; 0: no limit. Default: 0."""
    quota_concurrent_runs: Annotated[int, Field(ge=0, le=100_000)] = 0
    """Execute at most this many runs of each owner at once; 0: no limit. Default: 0."""
    quota_environments: Annotated[int, Field(ge=0, le=100_000)] = 0
    """Let jobs of each owner use at most this many different environments of packages; 0: no limit. Default: 0."""
    quota_stored_mb: Annotated[int, Field(ge=0, le=100_000_000)] = 0
    """Queue no run of an owner whose logs and artifacts take this many MB; 0: no limit. Default: 0."""
    max_connections: Annotated[int, Field(ge=32, le=100_000)] = 2000
    """Keep at most this many connections open in each process. Default: 2000."""
    head_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 15.0
    """Wait at most this many seconds for the headers of a request. Default: 15."""
    body_seconds: Annotated[float, Field(ge=0.1, le=86400)] = 60.0
    """Wait at most this many seconds for the body of a request. Default: 60."""
