"""What users write never runs in a page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from testkit.commands import Service
from tests.browser.actions import add, ended

HOSTILE = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"
pytestmark = pytest.mark.long


def test_hostile_texts_run_nothing(page: Page, service: Service) -> None:
    job_id = add(
        service,
        f"cat <<'END'\n{HOSTILE}\nEND\nprintf '\\033]8;;javascript:alert(3)\\007x\\033]8;;\\007\\n'; exit 1",
        name=HOSTILE, description=HOSTILE, owner_id=HOSTILE, tags=[HOSTILE], args={HOSTILE: HOSTILE},
    )  # fmt: skip
    service.call("POST", f"jobs/{job_id}/pause", {"reason": HOSTILE})
    run_id = ended(service, job_id)
    paths = ("", "jobs", f"jobs/{job_id}", "runs", f"runs/{run_id}", f"jobs/{job_id}/run", f"jobs/{job_id}/delete")
    for path in (*paths, f"jobs/{job_id}/edit", "audit", "alerts"):
        page.goto(f"/ui/{path}")
        assert page.locator("img[src='x']").count() == 0, path
