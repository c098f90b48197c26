"""Fixtures of the distributed mode: a cluster and its request side."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from testkit.cluster import Client, Cluster, client_of, cluster_on


@pytest.fixture
def cluster(migrated_postgres_url: str, redis_url: str, tmp_path: Path) -> Iterator[Cluster]:
    """Yield a cluster with a database and a Redis, but without processes."""
    with cluster_on(migrated_postgres_url, redis_url, tmp_path) as cluster:
        yield cluster


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[Client]:
    """Yield the request side of the cluster."""
    async with client_of(cluster) as client:
        yield client
