"""Payload kinds: built in, and from installed packages."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import validator_for
from pydantic import BaseModel
from structlog.testing import capture_logs

from scheduler_service.payloads import registry
from scheduler_service.payloads.registry import AnyPayload

PROJECT = Path(__file__).parents[3] / "pyproject.toml"
PLUGIN = """
from typing import Literal
from scheduler_service.payloads.base import Payload
from scheduler_service.sandbox.contract.spec import Program

class Greeting(Payload):
    type: Literal["greeting"]
    whom: str
    def command(self):
        return Program(("echo", f"hello {self.whom}"))

class Nameless(Payload):
    def command(self):
        return Program(("true",))

class Unfinished(Payload):
    type: Literal["unfinished"]

not_a_class = 42
"""


class Holder(BaseModel):
    payload: AnyPayload


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a package that adds usable and unusable kinds."""
    metadata = tmp_path / "greetings-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: greetings\nVersion: 1.0\n")
    kinds = {
        "greeting": "greetings_plugin:Greeting",
        "shell_script": "greetings_plugin:Greeting",
        "misnamed": "greetings_plugin:Greeting",
        "nameless": "greetings_plugin:Nameless",
        "unfinished": "greetings_plugin:Unfinished",
        "number": "greetings_plugin:not_a_class",
        "absent": "greetings_plugin:Absent",
        "broken": "greetings_broken:Anything",
    }
    lines = "".join(f"{name} = {value}\n" for name, value in kinds.items())
    (metadata / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{lines}")
    (tmp_path / "greetings_plugin.py").write_text(PLUGIN)
    (tmp_path / "greetings_broken.py").write_text("raise RuntimeError('out of order')")
    monkeypatch.syspath_prepend(tmp_path)
    registry.kinds.cache_clear()
    yield
    registry.kinds.cache_clear()


@pytest.mark.usefixtures("plugin")
def test_installed_package_adds_a_kind() -> None:
    payload = Holder.model_validate({"payload": {"type": "greeting", "whom": "world"}}).payload
    assert payload.type == "greeting"  # type: ignore[attr-defined]
    assert Holder(payload=payload).model_dump() == {"payload": {"type": "greeting", "whom": "world"}}


@pytest.mark.usefixtures("plugin")
def test_unusable_kind_is_left_out_with_a_warning() -> None:
    with capture_logs() as logs:
        kinds = registry.kinds()
    assert set(kinds) == {*registry.BUILT_IN, "greeting"}
    assert kinds["shell_script"] is registry.BUILT_IN["shell_script"]
    reasons = {entry["kind"]: entry["reason"] for entry in logs}
    assert set(reasons) == {"misnamed", "nameless", "unfinished", "number", "absent", "broken"}
    assert reasons["broken"] == "RuntimeError: out of order"
    assert 'type: Literal["misnamed"]' in reasons["misnamed"]


def test_built_in_kinds_are_declared_as_entry_points() -> None:
    """The declaration is read from pyproject.toml, because the package need not be installed."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    declared = project["entry-points"][registry.GROUP]

    assert {name: EntryPoint(name, value, registry.GROUP).load() for name, value in declared.items()} == dict(
        registry.BUILT_IN
    )


def test_built_in_kinds_work_without_the_installed_package() -> None:
    program = (
        "import importlib.metadata; importlib.metadata.entry_points = lambda **_: ()\n"
        "from scheduler_service.payloads import registry; print(*registry.kinds())"
    )
    command = [sys.executable, "-c", program]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert set(listed.stdout.split()) == set(registry.BUILT_IN)


def test_json_schema_names_every_kind_and_operation() -> None:
    schema = Holder.model_json_schema()
    assert schema["properties"]["payload"]["discriminator"]["mapping"].keys() == set(registry.BUILT_IN)
    operations = schema["$defs"]["NumberCrunchingPayload"]["discriminator"]["mapping"]
    assert operations.keys() == {
        "fibonacci",
        "prime_numbers",
        "factorial",
        "matrix_multiplication",
        "monte_carlo_pi",
        "statistics",
        "eigenvalues",
    }
    assert schema == Holder.model_json_schema(mode="serialization")


def test_every_model_has_texts_and_valid_examples() -> None:
    definitions = Holder.model_json_schema()["$defs"]
    assert all(schema["title"] and schema["description"] for name, schema in definitions.items() if name != "JsonValue")
    kinds = [schema for schema in definitions.values() if "type" in schema.get("properties", {})]
    assert len(kinds) >= len(registry.BUILT_IN)
    for kind in kinds:
        for example in kind["examples"]:
            registry.adapter().validate_python(example)


@pytest.mark.parametrize(
    ("payload", "is_valid"),
    [
        ({"type": "python_code", "code": "1"}, True),
        ({"type": "number_crunching", "operation": "fibonacci", "n": 10}, True),
        ({"type": "number_crunching", "operation": "fibonacci", "n": 10**9}, False),
        ({"type": "shell_script", "script": ""}, False),
        ({"type": "cobol"}, False),
    ],
)
def test_json_schema_agrees_with_validation(payload: Mapping[str, Any], is_valid: bool) -> None:
    assert validator_for(Holder.model_json_schema()).is_valid({"payload": payload}) is is_valid
