"""The grants file: what operators write, and what they are told of a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler_service.errors import ConfigurationError
from scheduler_service.features.grants.file import read_grants

WHOLE = """
[backup]
description = "Nightly archives"
read = ["/data"]
write = ["/backup/"]
owners = ["ops"]

[warehouse]
connect = ["db.internal:5432", "10.20.0.0/16:443", "[fd00::1]:8000-8010", "public:443"]
sockets = ["/run/postgresql/.s.PGSQL.5432"]
"""


def write(path: Path, text: str) -> Path:
    file = path / "grants.toml"
    file.write_text(text)
    return file


def test_file_names_paths_destinations_and_owners(tmp_path: Path) -> None:
    grants = read_grants(write(tmp_path, WHOLE))
    assert grants["backup"].write == ["/backup"]
    assert grants["backup"].rule.is_for("ops")
    assert not grants["backup"].rule.is_for("sales")
    assert grants["warehouse"].rule.is_for("sales")
    assert [(each.host, each.first_port, each.last_port) for each in grants["warehouse"].destinations] == [
        ("db.internal", 5432, 5432),
        ("10.20.0.0/16", 443, 443),
        ("fd00::1/128", 8000, 8010),
        ("public", 443, 443),
    ]


def test_nothing_is_granted_without_a_file() -> None:
    assert read_grants(None) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a", "is not TOML"),
        ("a = 1", "grant 'a': is 1, not a table; write [a] and its keys below"),
        ('["a b"]\nread = ["/x"]', "grant 'a b': a name has up to 64 letters"),
        ("[a]", "grant 'a': grants nothing; add read, write, connect or sockets"),
        ('[a]\nreed = ["/x"]', "grant 'a': reed: unknown key; did you mean read?"),
        ('[a]\nread = "/x"', "grant 'a': read: Input should be a valid list"),
        ('[a]\nread = ["data"]', "grant 'a': read.0: 'data' is not absolute; write the whole path, such as /data"),
        (
            '[a]\nread = ["/data/../etc"]',
            "grant 'a': read.0: '/data/../etc' contains ..; write the path without it",
        ),
        ('[a]\nconnect = ["db.internal"]', "'db.internal' has no port; write host:port"),
        ('[a]\nconnect = ["db.internal:http"]', "'http' is neither a port from 1 to 65535 nor a range"),
        ('[a]\nconnect = ["db.internal:9-8"]', "'9-8' is neither a port from 1 to 65535 nor a range"),
        ('[a]\nconnect = ["db:0"]', "'0' is neither a port from 1 to 65535 nor a range"),
        ('[a]\nconnect = ["10.0.0.0/99:443"]', "'10.0.0.0/99' is not a host name, address or network"),
        ('[a]\nconnect = ["10.0.0.300:443"]', "'10.0.0.300' is not a host name, address or network"),
        ('[a]\nconnect = ["fd00::1:443"]', "write an IPv6 address in brackets, such as [fd00::1]:443"),
        (f'[a]\nconnect = ["{"a" * 200}!:443"]', "!' is not a host name, address or network"),
        ('[a]\nconnect = ["db\\nevil:443"]', "is not a host name, address or network"),
        ('[a]\nread = ["/data/ro"]\nwrite = ["/data"]', "read '/data/ro' lies in write '/data'"),
        ("a = {}", "grant 'a': grants nothing"),
        ("[a.b]", "grant 'a': b: unknown key"),
        ("[[a]]", "not a table"),
        ('[a]\nread = ["/x"]\n[a]', "is not TOML"),
        ('[a]\nread = ["/x\\u0000"]', "grant 'a': read.0:"),
        ("[a]\nread = [1]", "grant 'a': read.0: Input should be a valid string"),
        ('[a]\nconnect = ["*:443"]', "'*' is not a host name, address or network"),
    ],
)
def test_mistake_is_named_with_its_remedy(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_grants(write(tmp_path, text))
    assert said in str(refused.value)
    assert str(refused.value).startswith("SCHEDULER_GRANTS_FILE: ")
    assert "\n" not in str(refused.value).replace("is not TOML", "")


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"SCHEDULER_GRANTS_FILE: cannot read .*missing.toml: No such file"):
        read_grants(tmp_path / "missing.toml")
