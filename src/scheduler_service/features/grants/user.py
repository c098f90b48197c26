"""The user of runs that write to the operator's directories, as `SCHEDULER_GRANTS_USER` names it."""

from __future__ import annotations

import grp
import os
import pwd

from scheduler_service.errors import ConfigurationError
from scheduler_service.sandbox import User, is_user_of_single_runs

VARIABLE = "SCHEDULER_GRANTS_USER"
_FORM = "write uid:gid, such as 1000:1000, or names, such as backup:backup"
_LAST_ID = (1 << 32) - 2  # the next one means that an id stays as it is; see chown(2)


def read_user(text: str | None) -> User | None:
    """Return the user and group that the setting names, None if it is not set.

    Raise ConfigurationError if there is no such user, if it is root, or if this process cannot become it.
    """
    if not text:
        return None
    if os.geteuid() != 0:
        raise ConfigurationError(
            f"{VARIABLE}: only a worker that runs as root can run jobs as another user; start it as root, or unset it"
        )
    name, _, group = text.partition(":")
    user = User(_uid_of(text, name), _gid_of(text, group) if group else _main_group_of(text, name))
    if 0 in user:
        raise ConfigurationError(f"{VARIABLE}: {text!r} is root, which no job may be; name another user and group")
    if is_user_of_single_runs(user.uid):
        raise ConfigurationError(f"{VARIABLE}: {text!r} is one of the users of single runs; name another user")
    if max(user) > _LAST_ID:
        raise ConfigurationError(f"{VARIABLE}: {text!r} has an id beyond {_LAST_ID}; {_FORM}")
    return user


def _uid_of(text: str, name: str) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise _unknown(text, name) from None


def _gid_of(text: str, name: str) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise _unknown(text, name) from None


def _main_group_of(text: str, name: str) -> int:
    try:
        return (pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)).pw_gid
    except (KeyError, OverflowError):
        raise _unknown(text, name) from None


def _unknown(text: str, name: str) -> ConfigurationError:
    return ConfigurationError(f"{VARIABLE}: {text!r}: this host has no {name!r}; {_FORM}")
