"""Flower's page of a task links to the run, and shows everything else as text."""

from __future__ import annotations

from flower.urls import settings

from scheduler_service.entrypoints.flower_pages import LinkingLoader, linked

ADDRESS = "https://scheduler.example.org/ui/runs/17"


def test_address_of_a_run_becomes_a_link() -> None:
    assert f'<a href="{ADDRESS}">{ADDRESS}</a>' in linked({"page": ADDRESS, "run_id": 17})


def test_other_text_stays_text() -> None:
    shown = linked("""{'page': "javascript:alert(1)/runs/1", 'x': '<b>https://h/"><script>/runs/1'}""")
    assert "<b>" not in shown
    assert "<script>" not in shown
    assert "<a" not in shown


def test_own_template_of_flower_has_the_replaced_expression() -> None:
    """A new version of Flower that writes it differently would silently lose the link."""
    template = LinkingLoader(settings["template_path"], namespace={"linked": linked}).load("task.html")
    assert "linked(task.kwargs)" in template.code
