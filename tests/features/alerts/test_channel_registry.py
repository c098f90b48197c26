"""The channels: one class in one file each, built in or added by an installed package."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from scheduler_service.features.alerts import channels
from scheduler_service.features.alerts.channels import registry

PLUGIN = """
from typing import Literal
from scheduler_service.features.alerts.channels.base import Channel

class Pager(Channel):
    type: Literal["pager"]
    number: str
    async def send(self, notice, transports):
        return f"{notice.alert.headline} to {self.number}"
    def obstacle(self, reach, *, has_mail):
        return None

class Unfinished(Channel):
    type: Literal["unfinished"]
"""
SHARED_MODULES = {"base", "registry", "web_address", "web_channel"}


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a package that adds channels."""
    metadata = tmp_path / "pagers-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pagers\nVersion: 1.0\n")
    kinds = {"pager": "Pager", "webhook": "Pager", "unfinished": "Unfinished"}
    lines = "".join(f"{name} = pagers_plugin:{value}\n" for name, value in kinds.items())
    (metadata / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{lines}")
    (tmp_path / "pagers_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    registry.kinds.cache_clear()
    registry.adapter.cache_clear()
    yield
    registry.kinds.cache_clear()
    registry.adapter.cache_clear()


def test_every_module_of_the_package_is_a_channel_of_its_name() -> None:
    modules = {found.name for found in pkgutil.iter_modules(channels.__path__)}

    assert set(registry.kinds()) == modules - SHARED_MODULES


@pytest.mark.usefixtures("plugin")
def test_installed_package_adds_a_channel() -> None:
    channel = registry.read_channel({"type": "pager", "number": "117"})

    assert channel.masked() == {"type": "pager", "number": "117"}
    assert registry.unmasked({"type": "pager", "number": "118"}, None) == {"type": "pager", "number": "118"}


@pytest.mark.usefixtures("plugin")
def test_class_that_is_no_channel_is_left_out_with_a_warning() -> None:
    with capture_logs() as logs:
        kinds = registry.kinds()

    assert kinds["webhook"].__name__ == "Webhook"
    assert "unfinished" not in kinds
    assert [(entry["event"], entry["kind"]) for entry in logs] == [("channel_kind_left_out", "unfinished")]
    assert logs[0]["reason"] == "not a class below Channel that has obstacle(), send()"


def test_channel_of_a_package_that_is_not_installed_is_refused() -> None:
    with pytest.raises(ValidationError, match="pager"):
        registry.read_channel({"type": "pager", "number": "117"})
