"""The recipe "Add a payload kind" of CONTRIBUTING.md, followed to the letter."""

from __future__ import annotations

import asyncio
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler_service.payloads import registry
from scheduler_service.payloads.base import Payload
from scheduler_service.sandbox import End, Limits, Spec, SubprocessSandbox

RECIPE = (Path(__file__).parents[3] / "CONTRIBUTING.md").read_text().partition("## Add a payload kind")[2]


@pytest.fixture
def _followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the recipe's model and entry point as a package."""
    ((name, value),) = tomllib.loads(_block("toml"))["project"]["entry-points"][registry.GROUP].items()
    (tmp_path / "own_package.py").write_text(_block("python"))
    metadata = tmp_path / "own_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: own-package\nVersion: 1.0\n")
    entry_point = f"{name} = own_package:{value.partition(':')[2]}"
    (metadata / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{entry_point}\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry.kinds.cache_clear()
    yield
    registry.kinds.cache_clear()
    sys.modules.pop("own_package", None)


@pytest.mark.usefixtures("_followed")
async def test_kind_made_by_the_recipe_runs_its_example(tmp_path: Path) -> None:
    kind = registry.kinds()["python_module"]
    example = _example(kind)
    output = bytearray()

    async def take(data: bytes) -> None:
        output.extend(data)

    sandbox = SubprocessSandbox(tmp_path / "runs")
    await sandbox.start()
    command = registry.adapter().validate_python(example).command()
    outcome = await sandbox.run(Spec(command, Limits()), take, asyncio.Event())
    await sandbox.stop()

    assert (outcome.end, outcome.exit_code) == (End.EXITED, 0)
    assert b"December" in output


def _example(kind: type[Payload]) -> object:
    return kind.model_json_schema()["examples"][0]


def _block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", RECIPE, re.DOTALL)
    assert found is not None
    return found[1]
