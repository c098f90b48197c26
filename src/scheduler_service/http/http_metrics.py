"""Measures the duration of this process's requests."""

from __future__ import annotations

from prometheus_client import Histogram

UNROUTED = "(none)"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def request_histogram() -> Histogram:
    """Return a new histogram of request durations."""
    return Histogram(
        "scheduler_http_request_duration_seconds",
        "Seconds from the request to the end of its answer, of this process.",
        ["method", "route", "status"],
        buckets=_BOUNDS,
        registry=None,
    )


def observe(histogram: Histogram, method: str, route: str | None, status: int | None, seconds: float) -> None:
    """Record one request. Labels come only from known values, so that clients cannot create new ones."""
    method = method if method in _METHODS else "other"
    histogram.labels(method, route or UNROUTED, "none" if status is None else str(status)).observe(seconds)
