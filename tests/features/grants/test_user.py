"""The user that SCHEDULER_GRANTS_USER names."""

from __future__ import annotations

import os
import pwd

import pytest

from scheduler_service.errors import ConfigurationError
from scheduler_service.features.grants.user import read_user
from scheduler_service.sandbox import User

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.mark.parametrize("text", [None, ""])
def test_no_user_when_unset(text: str | None) -> None:
    assert read_user(text) is None


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("1000:1001", User(1000, 1001)),
        ("nobody", User(NOBODY.pw_uid, NOBODY.pw_gid)),
        (f"{NOBODY.pw_uid}", User(NOBODY.pw_uid, NOBODY.pw_gid)),
        ("nobody:1001", User(NOBODY.pw_uid, 1001)),
    ],
)
def test_user_is_read_from_ids_and_names(text: str, user: User) -> None:
    assert read_user(text) == user


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("root", "is root"),
        ("0:1000", "is root"),
        ("1000:0", "is root"),
        ("no-such-user", "has no 'no-such-user'"),
        ("nobody:no-such-group", "has no 'no-such-group'"),
        ("4000000000", "has no '4000000000'"),
        ("4294967295:1", "has an id beyond"),
        ("99999999999999999999", "has no"),
        (":1000", "has no ''"),
        ("60578:60578", "one of the users of single runs"),
    ],
)
def test_user_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match="SCHEDULER_GRANTS_USER") as error:
        read_user(text)
    assert why in str(error.value)


def test_user_is_refused_when_the_worker_is_not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ConfigurationError, match="start it as root, or unset it"):
        read_user("1000:1000")
