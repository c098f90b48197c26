"""A lock names packages with hashes, and nothing else is read from it."""

from __future__ import annotations

import pytest

from scheduler_service.features.environments.lock_text import build_lock, id_of, names_in, own_python, parse_lock

HASH = "0" * 64
COMPILED = f"# by uv\nbeta==1.0 \\\n    --hash=sha256:{HASH} \\\n    --hash=sha256:{'1' * 64}\n"


def test_lock_has_one_line_for_each_package() -> None:
    text = build_lock(COMPILED)
    assert text == f"# {own_python()}\nbeta==1.0 --hash=sha256:{HASH} --hash=sha256:{'1' * 64}\n"
    python, (package,) = parse_lock(text)
    assert (python, package.name, package.version, len(package.hashes)) == (own_python(), "beta", "1.0", 2)
    assert names_in(text) == ["beta==1.0"]


def test_another_lock_has_another_id() -> None:
    text = build_lock(COMPILED)
    assert id_of(text) != id_of(text.replace("1.0", "1.1"))


@pytest.mark.parametrize(
    "line",
    [
        "beta==1.0",
        "--index-url https://example.org/simple",
        f"beta @ https://example.org/beta.whl --hash=sha256:{HASH}",
        f"beta==1.0 --hash=sha256:{HASH} --extra-index-url=https://example.org",
        f"../../beta==1.0 --hash=sha256:{HASH}",
        f"beta==../1.0 --hash=sha256:{HASH}",
        f"beta==1.0 --hash=md5:{'0' * 32}",
        "-r /etc/passwd",
        "",
    ],
)
def test_any_other_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a package with its hashes"):
        parse_lock(f"# python\nalpha==1.0 --hash=sha256:{HASH}\n{line}\n")
