"""The keys that encrypt secrets: what a start accepts, and with which words it refuses."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from scheduler_service.config.loading import load_settings
from scheduler_service.config.secrets_key import read_keys
from scheduler_service.errors import ConfigurationError

ONE, TWO = bytes(range(32)), bytes(range(32, 64))
WRITTEN = [base64.b64encode(key).decode() for key in (ONE, TWO)]


@pytest.mark.parametrize("separator", [",", "\n", " , ", "\r\n"])
def test_keys_are_separated_by_commas_and_lines(separator: str) -> None:
    assert read_keys(separator.join(WRITTEN)) == (ONE, TWO)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hunter2", "key 1 is not base64; create one with `openssl rand -base64 32`"),
        (f"{WRITTEN[0]},ü", "key 2 is not base64"),
        (WRITTEN[0][:-1], "key 1 is not base64"),
        (base64.b64encode(ONE[:16]).decode(), "key 1 has 16 bytes, and AES-256 needs 32"),
        (f"{WRITTEN[0]},{WRITTEN[0]}", "holds the same key twice"),
        (",", "holds no key"),
    ],
)
def test_start_refuses_a_malformed_key_without_showing_it(
    text: str, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCHEDULER_SECRETS_KEY", text)
    with pytest.raises(ConfigurationError) as refusal:
        load_settings()
    assert str(refusal.value).startswith("SCHEDULER_SECRETS_KEY: ")
    assert why in str(refusal.value)
    assert text not in str(refusal.value).replace("`openssl rand -base64 32`", "").replace("commas", "") or text == ","


def test_keys_are_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("\n".join(WRITTEN) + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCHEDULER_SECRETS_KEY_FILE", str(file))
    key = load_settings().secrets_key
    assert key is not None
    assert read_keys(key.get_secret_value()) == (ONE, TWO)
