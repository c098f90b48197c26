"""An index on loopback for tests of environments."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testkit.package_index import IndexServer, package_index


@pytest.fixture
def index() -> Iterator[IndexServer]:
    """Return an index with the packages `alpha`, which needs `beta`, and `beta` in two versions."""
    with package_index() as served:
        served.add("alpha", "1.0", requires=["beta"])
        served.add("beta", "1.0")
        served.add("beta", "2.0")
        yield served
