"""What a worker holds of the grants in its file, and what they open to a run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from scheduler_service.errors import ConfigurationError
from scheduler_service.features.grants.file import Grant
from scheduler_service.features.grants.held import HeldGrants
from scheduler_service.features.grants.resolver import FRESH_SECONDS, REMEMBERED_SECONDS, Resolver
from scheduler_service.sandbox.contract.access import Access, Destination


def hold(private: tuple[str, ...] = (), **grants: dict[str, list[str]]) -> HeldGrants:
    return HeldGrants({name: Grant.model_validate(fields) for name, fields in grants.items()}, private)


async def test_run_gets_what_all_its_grants_open(tmp_path: Path) -> None:
    for name in ("data", "backup"):
        (tmp_path / name).mkdir()
    data, backup = str(tmp_path / "data"), str(tmp_path / "backup")
    held = hold(
        input={"read": [data, backup]},
        output={"write": [backup], "connect": ["10.0.0.0/8:443", "public:80-81"]},
    )
    assert await held.access(["input", "output"]) == Access(
        read=(data,),
        write=(backup,),
        destinations=(Destination("10.0.0.0/8", 443, 443), Destination("public", 80, 81)),
    )


async def test_links_are_resolved_once(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    held = hold(input={"read": [str(tmp_path / "link")]})
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("/etc")
    assert (await held.access(["input"])).read == (str(tmp_path / "data"),)


def test_grant_is_not_held_where_its_path_is_missing(tmp_path: Path) -> None:
    held = hold(here={"read": [str(tmp_path)]}, away={"read": [str(tmp_path / "missing")]})
    assert held.names == ["here"]
    assert held.missing == {"away": [str(tmp_path / "missing")]}
    assert held.paths == (str(tmp_path),)


@pytest.mark.parametrize(
    ("path", "private", "why"),
    [
        ("/", [], "is the whole file system"),
        ("/proc/sys", [], "lies in /proc"),
        ("/sys", [], "lies in /sys"),
        ("/dev/mapper", [], "lies in /dev"),
        ("/srv", ["/srv/scheduler/data"], "covers /srv/scheduler/data"),
        ("/srv/scheduler/data", ["/srv/scheduler/data"], "covers /srv/scheduler/data"),
        ("/srv/scheduler/data/runs", ["/srv/scheduler/data"], "covers /srv/scheduler/data"),
        ("/srv/scheduler", ["/srv/scheduler/.env*"], "covers /srv/scheduler/.env*"),
        ("/srv/scheduler/.env.bak", ["/srv/scheduler/.env*"], "covers /srv/scheduler/.env*"),
    ],
)
def test_grant_that_covers_the_service_is_refused(path: str, private: list[str], why: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        hold(tuple(private), wide={"read": [path]})
    assert f"grant 'wide': {path} {why}" in str(refused.value)


def test_grant_that_covers_the_service_by_a_link_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "service"
    secret.mkdir()
    (tmp_path / "link").symlink_to(secret)
    with pytest.raises(ConfigurationError, match=r"link \(which is .*service\) covers"):
        hold((str(secret),), wide={"read": [str(tmp_path / "link")]})


def test_neighbour_of_a_private_path_is_granted(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    held = hold((f"{tmp_path}/.*", f"{tmp_path}/database"), ok={"read": [str(tmp_path / "data")]})
    assert held.names == ["ok"]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_names_are_resolved_by_the_service() -> None:
    held = hold(local={"connect": ["localhost:5432"]})
    access = await held.access(["local"])
    assert Destination("127.0.0.1", 5432, 5432) in access.destinations
    assert access.hosts[0][0] == "localhost"


async def test_name_without_an_address_opens_nothing() -> None:
    held = hold(gone={"connect": ["no-such-host.invalid:5432"]})
    assert (await held.access(["gone"])).destinations == ()


async def test_unresolved_name_is_not_asked_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    async def fail(name: str, *_: object, **__: object) -> None:
        asked.append(name)
        raise OSError("no such host")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail, raising=False)
    resolver = Resolver(Clock())
    assert [await resolver.resolve(["db"]) for _ in range(2)] == [{"db": []}] * 2
    assert asked == ["db"]


async def test_addresses_of_a_name_are_remembered_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, answer = Clock(), ["10.0.0.1"]
    resolver = Resolver(clock)

    async def answer_now(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(2, 1, 6, "", (address, 0)) for address in answer]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answer_now, raising=False)
    assert await resolver.resolve(["db"]) == {"db": ["10.0.0.1"]}
    answer[:] = ["10.0.0.2"]
    assert await resolver.resolve(["db"]) == {"db": ["10.0.0.1"]}
    clock.now += FRESH_SECONDS
    assert await resolver.resolve(["db"]) == {"db": ["10.0.0.2", "10.0.0.1"]}
    clock.now += REMEMBERED_SECONDS
    assert await resolver.resolve(["db"]) == {"db": ["10.0.0.2"]}


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "::ffff:127.0.0.1", "::", "169.254.169.254", "100.100.100.200", "fe80::1", "224.0.0.1"],
)
async def test_name_is_not_resolved_to_a_special_address(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(2, 1, 6, "", (each, 0)) for each in (address, "10.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answer, raising=False)
    assert await Resolver(Clock()).resolve(["partner.example"]) == {"partner.example": ["10.0.0.1"]}
