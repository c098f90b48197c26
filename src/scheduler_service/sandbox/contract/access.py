"""What the operator's grants open to one run, beyond what every run has: paths, destinations and socket files.

The service writes an `Access` from grants that it has checked; the sandbox holds the run to it. It is empty for most
runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PUBLIC = "public"
"""Every public address: no loopback, private, link-local, multicast or metadata address, and none of this host."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Addresses and ports that a run may connect and send to.

    `network` is `PUBLIC`, or a network or address in CIDR form such as `10.20.0.0/16`, which is allowed whatever it is.
    Both ports are included.
    """

    network: str
    first_port: int
    last_port: int


@dataclass(frozen=True, slots=True)
class Access:
    """What a run may reach.

    All paths are absolute and free of links. `read` and `write` name files, or directories with all that is below
    them. `sockets` are UNIX sockets that the run may connect to. `hosts` are names with one address each that the run
    resolves without a nameserver, where it has a file system of its own. A run with hosts or with the destination
    `PUBLIC` may also ask the nameservers of this host.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    destinations: tuple[Destination, ...] = ()
    hosts: tuple[tuple[str, str], ...] = ()

    @property
    def asks_nameservers(self) -> bool:
        """Whether the run may ask the nameservers of this host."""
        return bool(self.hosts) or any(each.network == PUBLIC for each in self.destinations)

    @property
    def needs_own_root(self) -> bool:
        """Whether a run with a file system of its own needs another root than runs without grants."""
        return bool(self.paths or self.hosts)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that has to be visible to the run."""
        return (*self.read, *self.write, *self.sockets)

    @property
    def shown(self) -> tuple[str, ...]:
        """The paths without those that another one shows, the outermost first.

        Grants only open: what is below a path that may be written may be written, too, even if it is granted to read.
        """
        shown: list[str] = []
        for path in sorted(set(self.paths)):
            above = [each for each in shown if each == "/" or path.startswith(f"{each}/")]
            if not above or (path in self.write and not any(each in self.write for each in above)):
                shown.append(path)
        return tuple(shown)


NOTHING = Access()


def access_fields(access: Access) -> dict[str, Any] | None:
    """Return an `Access` as JSON values, for a message; None if it is empty."""
    if access == NOTHING:
        return None
    destinations = [(each.network, each.first_port, each.last_port) for each in access.destinations]
    return {name: getattr(access, name) for name in Access.__slots__} | {"destinations": destinations}


def parse_access(fields: dict[str, Any] | None) -> Access:
    """Return the `Access` that was made JSON values."""
    if fields is None:
        return NOTHING
    lists = {name: tuple(fields[name]) for name in ("read", "write", "sockets")}
    return Access(
        **lists,
        destinations=tuple(Destination(*each) for each in fields["destinations"]),
        hosts=tuple((name, address) for name, address in fields["hosts"]),
    )
