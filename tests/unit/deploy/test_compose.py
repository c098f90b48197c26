"""compose.yaml and its overlay: valid, in step with the settings, and safe by default."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from tests.unit.deploy.documented import ROLES, ROOT, documented, known_variables

from scheduler_service.config.api_key import DEVELOPMENT_API_KEY, LOOPBACK_HOSTS
from scheduler_service.config.loading import load_settings
from scheduler_service.config.settings import Settings
from scheduler_service.errors import ConfigurationError

_VARIABLE = re.compile(r"\$\{(\w+)(:[-?])([^{}]*)\}")


class UnsetError(Exception):
    """A required variable is not set."""


def substituted(text: str, variables: dict[str, str]) -> str:
    """Substitute variables by the Compose specification (12-interpolation.md), the innermost first."""

    def value(found: re.Match[str]) -> str:
        name, operator, operand = found.groups()
        if not variables.get(name) and operator == ":?":
            raise UnsetError(name)
        return variables.get(name) or operand

    while _VARIABLE.search(text):
        text = _VARIABLE.sub(value, text)
    return text.replace("$$", "$")


def read(name: str, **variables: str) -> dict[str, Any]:
    """Read a file of Compose with these variables set."""

    def put_in(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: put_in(value) for key, value in node.items()}
        if isinstance(node, list):
            return [put_in(item) for item in node]
        return substituted(node, variables) if isinstance(node, str) else node

    model: dict[str, Any] = put_in(yaml.safe_load((ROOT / name).read_text(encoding="utf-8")))
    return model


def environments(model: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    return ((role, model["services"][role]["environment"]) for role in ROLES)


@pytest.fixture
def settings_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Read settings from an environment and nothing else."""

    def read_settings(environment: dict[str, str]) -> Settings:
        for name in list(os.environ):
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return load_settings(_env_file=None)

    return read_settings


@pytest.mark.parametrize("name", ["compose.yaml", "compose.production.yaml"])
def test_file_is_valid_by_the_compose_schema(name: str) -> None:
    schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text(encoding="utf-8"))
    secrets = {"API_KEY": "own", "POSTGRES_PASSWORD": "p", "REDIS_PASSWORD": "r", "FLOWER_BASIC_AUTH": "u:p"}

    jsonschema_rs.validator_for(schema).validate(read(name, **secrets))


def test_every_service_runs_a_documented_command() -> None:
    services = read("compose.yaml")["services"]

    assert {"postgres", "redis", *ROLES} == set(services)
    assert all(documented(services[role]["command"]) for role in ROLES)
    assert {services[role]["image"] for role in ROLES} == {"scheduler-service"}


def test_every_variable_is_a_setting(settings_of: Any) -> None:
    for role, environment in environments(read("compose.yaml")):
        named = {name for name in environment if not name.startswith("FLOWER_")} - {"SCHEDULER_URL"}
        assert named <= known_variables(), role
        assert settings_of(environment).is_distributed


def test_ports_are_published_on_the_loopback_by_default() -> None:
    model = read("compose.yaml")

    ports = [port for service in model["services"].values() for port in service.get("ports", [])]
    assert sorted(ports) == ["127.0.0.1:5555:5555", "127.0.0.1:8000:8000"]
    assert {environment["API_KEY"] for _, environment in environments(model)} == {DEVELOPMENT_API_KEY}
    assert model["services"]["flower"]["environment"]["FLOWER_BASIC_AUTH"] == f"scheduler:{DEVELOPMENT_API_KEY}"


def test_development_key_is_refused_when_ports_are_public(settings_of: Any) -> None:
    model = read("compose.yaml", SCHEDULER_PUBLISHED_HOST="0.0.0.0")  # noqa: S104 (to be refused)
    environment = model["services"]["api"]["environment"]

    assert model["services"]["api"]["ports"] == ["0.0.0.0:8000:8000"]
    assert "0.0.0.0" not in LOOPBACK_HOSTS  # noqa: S104
    with pytest.raises(ConfigurationError, match="SCHEDULER_PUBLISHED_HOST"):
        settings_of(environment)


@pytest.mark.parametrize("missing", ["API_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "FLOWER_BASIC_AUTH"])
def test_production_needs_each_secret(missing: str) -> None:
    secrets = {"API_KEY": "own", "POSTGRES_PASSWORD": "p", "REDIS_PASSWORD": "r", "FLOWER_BASIC_AUTH": "u:p"}
    read("compose.production.yaml", **secrets)

    with pytest.raises(UnsetError, match=missing):
        read("compose.production.yaml", **(secrets | {missing: ""}))


def test_worker_has_longer_to_stop_than_its_drain() -> None:
    worker = read("compose.yaml")["services"]["worker"]

    assert (
        float(worker["stop_grace_period"].rstrip("s")) >= float(worker["environment"]["SCHEDULER_DRAIN_SECONDS"]) + 10
    )


@pytest.mark.parametrize("role", ROLES)
def test_services_are_confined(role: str) -> None:
    service = read("compose.yaml")["services"][role]

    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    # By the engine's filter, the sandbox may use pidfd_getfd only with this; the image's user does not get it.
    assert service.get("cap_add", []) == (["SYS_PTRACE"] if role == "worker" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "container_name" not in service  # so that it can be scaled


def test_only_api_beat_and_flower_reach_the_outside() -> None:
    services = read("compose.yaml")["services"]

    assert read("compose.yaml")["networks"]["inside"] == {"internal": True}
    assert {name for name, service in services.items() if "outside" in service["networks"]} == {"api", "beat", "flower"}


def test_tmpfs_options_are_known_to_every_engine() -> None:
    services = read("compose.yaml")["services"]
    mounts = [mount for service in services.values() for mount in service.get("tmpfs", [])]

    options = {option.partition("=")[0] for mount in mounts for option in mount.partition(":")[2].split(",") if option}
    assert options <= {"mode", "size", "exec"}


def test_no_service_creates_an_anonymous_volume() -> None:
    """The images of PostgreSQL and Redis ask for a volume at these paths."""
    services = read("compose.yaml")["services"]

    assert services["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert services["redis"]["tmpfs"] == ["/data"]


def test_command_finds_the_api_in_every_container() -> None:
    for role, environment in environments(read("compose.yaml", SCHEDULER_PORT="18000")):
        # The API accepts the development key under a local name only.
        host = "localhost" if role == "api" else "api"
        assert (environment["SCHEDULER_PORT"], environment["SCHEDULER_URL"]) == ("8000", f"http://{host}:8000")


def test_links_name_the_published_port(settings_of: Any) -> None:
    for _, environment in environments(read("compose.yaml", SCHEDULER_PORT="18000")):
        assert settings_of(environment).effective_public_url == "http://127.0.0.1:18000"


def test_image_is_built_without_a_frontend_from_a_registry() -> None:
    assert "# syntax" not in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_every_github_action_is_pinned_to_a_commit() -> None:
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")

    assert re.findall(r"uses: (?!\S+@[0-9a-f]{40} # v\d+\.\d+\.\d+$).*", workflow, re.MULTILINE) == []


def test_image_needs_no_root_and_only_included_files() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    sent = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()

    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.*)", dockerfile, re.MULTILINE) for word in line.split()[:-1]
    ]
    assert "USER scheduler" in dockerfile
    assert all(f"!{name}" in sent and (ROOT / name).exists() for name in copied)
    assert "!.env" not in sent
