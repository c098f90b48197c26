"""The journeys on the distributed setting: PostgreSQL, Valkey, an API, a beat and a Celery worker as processes."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from testkit import servers
from testkit.cluster import cluster_on
from testkit.commands import Service, shell
from testkit.servers import PostgresServer
from testkit.waiting import wait_until
from tests.browser.test_editor_pages import (
    test_copy_runs_with_the_hidden_variables_of_its_original as test_copy,
)
from tests.browser.test_editor_pages import (
    test_difference_is_shown_before_it_is_saved as test_difference,
)
from tests.browser.test_editor_pages import (
    test_two_changes_at_once_are_merged as test_merge,
)
from tests.browser.test_lists import test_list_follows_changes_of_others as test_list
from tests.browser.test_lists import test_pause_is_undone as test_pause
from tests.browser.test_reasons import test_skipped_instant_leads_to_its_cause_and_its_remedy as test_reason
from tests.browser.test_run_pages import test_job_is_run_with_arguments_and_followed_to_its_end as test_followed
from tests.browser.test_run_pages import test_run_is_tried_again_and_compared_with_the_failed_one as test_compared
from tests.browser.test_run_pages import test_running_run_is_cancelled as test_cancelled
from tests.browser.test_sessions import test_revoked_key_ends_its_session_soon as test_revoked

from scheduler_service.cli.devstack_servers import free_port
from scheduler_service.config.api_key import DEVELOPMENT_API_KEY

__all__ = [
    "test_cancelled",
    "test_compared",
    "test_copy",
    "test_difference",
    "test_followed",
    "test_list",
    "test_merge",
    "test_pause",
    "test_reason",
    "test_revoked",
]
pytestmark = pytest.mark.long


@pytest.fixture(scope="package")
def service(
    chromium: str, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The API of a cluster, in place of an embedded service."""
    directory = tmp_path_factory.mktemp("cluster")
    with (
        postgres_server.lent() as database_url,
        servers.valkey() as redis_url,
        cluster_on(database_url, f"{redis_url}/0", directory) as cluster,
    ):
        port = free_port()
        api = cluster.start("uvicorn", "src.app.main:app", "--port", str(port))
        wait_until(lambda: "startup complete" in api.log)
        beat = cluster.start("celery", "-A", "src.app.celery_app", "beat")
        arguments = ("-c", "4", "--without-mingle", "--without-gossip")
        worker = cluster.start("celery", "-A", "src.app.celery_app", "worker", *arguments)
        wait_until(lambda: "dispatcher_started" in beat.log and " ready." in worker.log)
        url, key = f"http://127.0.0.1:{port}", {"X-API-Key": DEVELOPMENT_API_KEY}
        with httpx2.Client(base_url=f"{url}/api/v1/", headers=key) as client:
            yield Service(api.process, directory, shell(directory, SCHEDULER_URL=url), url, client)
