"""`scheduler alerts …`: what the commands send, write and refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from testkit.commands import Service, up

CHANNEL = ["channel.type=webhook", "channel.url=http://127.0.0.1:9/hook", "channel.secret=correct-horse"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with up(tmp_path_factory.mktemp("service")) as running:
        yield running


def create(service: Service, *words: object) -> dict[str, Any]:
    rule: dict[str, Any] = service.shell.read("alerts", "create", "--name", "team", "--on", "failure", *words, *CHANNEL)
    return rule


def test_rule_is_created_from_options_and_fields(service: Service) -> None:
    rule = create(service, "--on", "late", "--owner", "me", "late_seconds=5")

    assert (rule["name"], rule["on"], rule["owner_id"]) == ("team", ["failure", "late"], "me")
    assert rule["late_seconds"] == 5
    assert rule["channel"] == {"type": "webhook", "url": "http://127.0.0.1:9/hook", "secret": "***"}


def test_options_override_a_rule_from_standard_input(service: Service) -> None:
    channel = {"type": "email", "to": ["team@example.org"]}
    document = {"name": "team", "on": ["failure"], "channel": channel}

    command = ["alerts", "create", "--file", "-", "--name", "ops"]
    done = service.shell.run(*command, stdin=None, input=json.dumps(document))

    assert done.stdout.endswith(" (ops).\n")
    assert done.stderr.startswith("warning: channel: this server has no mail server")


def test_rule_is_shown_with_its_channel(service: Service) -> None:
    rule = create(service)

    done = service.shell.call("alerts", "show", rule["id"])

    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["channel.url:", "http://127.0.0.1:9/hook"] in lines
    assert ["on:", "failure"] in lines
    assert service.shell.read("alerts", "show", rule["id"]) == rule


def test_rules_are_listed_with_their_receivers(service: Service) -> None:
    rule = create(service, "--owner", "listed")

    header, *rows = service.shell.call("alerts", "list", "--wide").stdout.splitlines()

    assert header.split() == ["ID", "NAME", "ON", "CHANNEL", "JOB", "OWNER", "ENABLED"]
    (row,) = [row.split() for row in rows if row.split()[0] == str(rule["id"])]
    assert row[1:] == ["team", "failure", "webhook", "http://127.0.0.1:9/hook", "-", "listed", "yes"]
    assert rule in service.shell.read("alerts", "list")["alerts"]


def test_update_changes_the_fields_it_names(service: Service) -> None:
    rule = create(service, "late_seconds=5")

    updated = service.shell.read("alerts", "update", rule["id"], "enabled=false", "late_seconds=null")

    assert (updated["enabled"], updated["late_seconds"]) == (False, 60)
    assert updated["channel"] == rule["channel"]


def test_update_without_a_change_is_refused(service: Service) -> None:
    done = service.shell.call("alerts", "update", 1)

    assert done.returncode == 2
    assert done.stderr.startswith("scheduler: no change given; write FIELD=VALUE")


def test_wrong_field_is_refused_by_its_name(service: Service) -> None:
    done = service.shell.call("alerts", "create", "--name", "x", "--on", "never", *CHANNEL)

    assert done.returncode == 2
    assert done.stderr.startswith("scheduler: on")


def test_test_creates_a_delivery_that_deliveries_lists(service: Service) -> None:
    rule = create(service)

    done = service.shell.call("alerts", "test", rule["id"])
    listed = service.shell.call("alerts", "deliveries", rule["id"], "--wide").stdout.splitlines()
    (delivery,) = service.shell.read("alerts", "deliveries", rule["id"])["deliveries"]

    assert done.stdout.startswith(f"Created delivery {delivery['id']};")
    assert [line.split()[:2] for line in listed] == [["ID", "KIND"], [str(delivery["id"]), "test"]]


def test_deleted_rule_is_gone(service: Service) -> None:
    rule = create(service)

    deleted = service.shell.call("alerts", "delete", rule["id"])

    assert deleted.stdout == f"Deleted alert rule {rule['id']}.\n"
    assert service.shell.call("alerts", "show", rule["id"]).returncode == 2
