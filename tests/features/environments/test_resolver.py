"""Requirements become locks with hashes, or errors that name the requirement; nothing of a package is executed."""

from __future__ import annotations

import io
import socket
import tarfile

import pytest
from testkit.package_index import PASSWORD, IndexServer

from scheduler_service.errors import InvalidInputError, UnavailableError
from scheduler_service.features.environments.index import PackageIndex
from scheduler_service.features.environments.lock_text import own_python, parse_lock
from scheduler_service.features.environments.resolver import Resolver


async def resolve(index: IndexServer, *requirements: str) -> list[str]:
    """Return the names and versions in the lock of requirements."""
    python, packages = parse_lock(await Resolver(PackageIndex(index.url)).resolve(requirements))
    assert python == own_python()
    assert all(package.hashes for package in packages)
    return [f"{package.name}=={package.version}" for package in packages]


async def test_lock_has_dependencies_with_hashes(index: IndexServer) -> None:
    assert await resolve(index, "alpha", "beta<2") == ["alpha==1.0", "beta==1.0"]


async def test_lock_has_the_newest_version_that_is_allowed(index: IndexServer) -> None:
    assert await resolve(index, "alpha") == ["alpha==1.0", "beta==2.0"]


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [("beta>=3", "only beta<=2.0 is available"), ("gamma", "gamma was not found")],
)
async def test_unsolvable_requirement_is_named_with_the_reason(
    index: IndexServer, requirement: str, reason: str
) -> None:
    with pytest.raises(InvalidInputError, match=reason) as caught:
        await resolve(index, "alpha", requirement)
    (problem,) = caught.value.problems
    assert (problem.field, problem.value) == ("payload.requirements", requirement)
    assert "\n" not in problem.message


async def test_source_distribution_is_refused_and_not_built(index: IndexServer) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        setup = b"raise SystemExit('setup.py was executed')"
        member = tarfile.TarInfo("delta-1.0/setup.py")
        member.size = len(setup)
        archive.addfile(member, io.BytesIO(setup))
    index.put("delta-1.0.tar.gz", data.getvalue())
    with pytest.raises(InvalidInputError, match=r"delta .*no usable wheels"):
        await resolve(index, "delta")
    assert "/files/delta-1.0.tar.gz" not in index.requested


async def test_absent_index_is_an_error_without_credentials(index: IndexServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    resolver = Resolver(PackageIndex(f"http://ann:{PASSWORD}@127.0.0.1:{port}/simple"))
    with pytest.raises(UnavailableError, match="index does not answer") as caught:
        await resolver.resolve(["alpha"])
    assert PASSWORD not in str(caught.value)


async def test_silent_index_is_an_error_in_bounded_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        index = PackageIndex(f"http://127.0.0.1:{silent.getsockname()[1]}/simple")
        with pytest.raises(UnavailableError, match=r"did not answer within 0\.3 s"):
            await Resolver(index, timeout_seconds=0.3).resolve(["alpha"])


async def test_private_index_gets_its_password(index: IndexServer) -> None:
    index.require_password()
    assert await resolve(index, "beta") == ["beta==2.0"]


async def test_wrong_password_is_not_in_the_error(index: IndexServer) -> None:
    index.require_password()
    wrong = PackageIndex(f"http://ann:wr0ng-key@127.0.0.1:{index.port}/simple")
    with pytest.raises((InvalidInputError, UnavailableError)) as caught:
        await Resolver(wrong).resolve(["beta"])
    assert "wr0ng-key" not in str(caught.value)


async def test_settings_of_the_host_add_no_index(
    index: IndexServer, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    (config := tmp_path / "uv.toml").write_text('extra-index-url = ["http://127.0.0.1:9/simple"]\n')  # type: ignore[operator]
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_CONFIG_FILE", str(config))
    assert await resolve(index, "beta") == ["beta==2.0"]
