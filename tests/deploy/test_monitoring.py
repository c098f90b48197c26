"""The dashboard and the rules name only metrics and labels that exist."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.api.conftest import client_of, run_to_its_end, serving, settings_for

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = re.compile(r"\b(scheduler_[a-z_]+)(?:\{([^}]*)\})?")
RECORDED = re.compile(r"\bscheduler:[a-z_:0-9]+")
LABEL = re.compile(r"(\w+)\s*(?:=~|!=|!~|=)")
BY = re.compile(r"\bby \(([^)]*)\)")
OF_PROMETHEUS = {"instance", "job"}

Metrics = dict[str, set[str]]


def dashboard() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DEPLOY / "grafana/scheduler.json").read_text(encoding="utf-8"))
    return document


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((DEPLOY / "prometheus/rules.yml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def expressions() -> Iterator[str]:
    yield from (target["expr"] for panel in dashboard()["panels"] for target in panel["targets"])
    yield from (rule["expr"] for rule in rules())


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Metrics:
    """Return the names of all samples, each with its labels."""
    found: Metrics = {}
    for family in text_string_to_metric_families(asyncio.run(scraped(tmp_path_factory.mktemp("metrics")))):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


async def scraped(directory: Path) -> str:
    """Return the metrics of a service that has run something."""
    settings = settings_for(f"sqlite:///{directory}/s.db", directory)
    async with serving(settings) as app, client_of(app) as client:
        await run_to_its_end(client, "true")
        return (await client.get("/metrics")).text


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_expression_names_only_existing_metrics_and_labels(expression: str, metrics: Metrics) -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    assert set(RECORDED.findall(expression)) <= recorded
    known: set[str] = set(OF_PROMETHEUS)
    for name, selector in NAME.findall(expression):
        assert name in metrics, name
        assert set(LABEL.findall(selector)) <= metrics[name], selector
        known |= metrics[name]
    for grouped in BY.findall(expression):
        assert {label.strip() for label in grouped.split(",")} <= known, grouped


def test_every_metric_of_the_service_is_on_the_dashboard(metrics: Metrics) -> None:
    shown = {name for panel in dashboard()["panels"] for target in panel["targets"] for name in _names(target["expr"])}
    families = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in metrics if name.startswith("scheduler_")}
    assert families <= {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown}


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (column, row)
            for column in range(place["x"], place["x"] + place["w"])
            for row in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(column for column, _ in cells) < 24
        taken |= cells


def test_every_alert_has_a_severity_and_a_summary() -> None:
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in {"warning", "critical"}
            assert rule["annotations"]["summary"].endswith(".")


def test_every_alert_has_a_test() -> None:
    document = yaml.safe_load((DEPLOY / "prometheus/rules.test.yml").read_text(encoding="utf-8"))
    expected = [case for test in document["tests"] for case in test.get("alert_rule_test", []) if case["exp_alerts"]]
    assert {case["alertname"] for case in expected} == {rule["alert"] for rule in rules() if "alert" in rule}


async def test_scrape_configuration_names_an_existing_path(migrated_sqlite: Path, tmp_path: Path) -> None:
    document = yaml.safe_load((DEPLOY / "prometheus/scrape.yml").read_text(encoding="utf-8"))
    (job,) = document["scrape_configs"]
    async with serving(settings_for(f"sqlite:///{tmp_path}/s.db", tmp_path)) as app, client_of(app) as client:
        assert (await client.get(job["metrics_path"], headers={"X-API-Key": "none"})).status_code == 200


def _names(expression: str) -> set[str]:
    return {name for name, _ in NAME.findall(expression)}
