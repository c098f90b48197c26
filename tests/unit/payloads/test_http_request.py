"""Requests of `http_request`: its program, run by an interpreter alone, against real servers on the loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from testkit.tls import Authority
from tests.unit.payloads.http_server import serve

from scheduler_service.payloads import registry
from scheduler_service.payloads.http_program.main import RESULT_VARIABLE
from scheduler_service.sandbox.contract.spec import PythonCode
from scheduler_service.version import version

RUN = {"SCHEDULER_RUN_ID": "41", "SCHEDULER_ATTEMPT": "2"}


class Ended:
    """One request that has ended."""

    def __init__(self, payload: dict[str, Any], env: dict[str, str]) -> None:
        model = registry.adapter().validate_python({"type": "http_request", **payload})
        command = model.command()
        assert isinstance(command, PythonCode)
        with tempfile.TemporaryDirectory() as directory:
            result = Path(directory, "result.json")
            finished = subprocess.run(
                [sys.executable, "-I", "-c", command.code],
                env={**os.environ, **RUN, RESULT_VARIABLE: str(result), **env},
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            self.result: Any = json.loads(result.read_text()) if result.exists() else None
        assert not finished.stderr
        self.code, self.log = finished.returncode, finished.stdout
        self.failure = model.failure(self.log)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serve() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("authority"))


def send(url: str, env: dict[str, str] | None = None, **payload: Any) -> Ended:
    return Ended({"url": url, **payload}, env or {})


def failure_of(url: str, env: dict[str, str] | None = None, **payload: Any) -> str:
    ended = send(url, env, **payload)
    assert ended.code == 1
    assert ended.failure is not None
    assert ended.log.endswith(f"failed: {ended.failure}\n")
    return ended.failure


def echoed(ended: Ended) -> Any:
    assert (ended.code, ended.failure) == (0, None)
    return json.loads(ended.result["body"])


def test_response_is_the_result_and_in_the_log(server: str) -> None:
    ended = send(f"{server}/json?token=hush", expect={"status": 200, "json_path": {"$.items[0].id": 7}})
    assert ended.code == 0
    assert ended.result["status"] == 200
    assert json.loads(ended.result["body"])["state"] == "complete"
    assert (ended.result["body_encoding"], ended.result["body_truncated"]) == ("text", False)
    assert ended.result["headers"]["content-length"] == str(ended.result["body_bytes"])
    timing = ended.result["timing"]
    assert timing["tls_seconds"] is None
    assert (
        0 < timing["dns_seconds"] + timing["connect_seconds"] + timing["first_byte_seconds"] < timing["total_seconds"]
    )
    assert f"GET {server}/json\n" in ended.log
    assert "200 OK, 55 bytes, after " in ended.log
    assert '"state": "complete"' in ended.log
    assert "hush" not in ended.log


def test_request_names_the_service_and_the_run(server: str) -> None:
    told = echoed(send(f"{server}/echo/%C3%BC?q=a b".replace(" ", "%20")))
    assert (told["method"], told["path"], told["body"]) == ("GET", "/echo/%C3%BC?q=a%20b", "")
    assert told["headers"] == {
        "Host": server.removeprefix("http://"),
        "Accept-Encoding": "identity",
        "User-Agent": f"scheduler-service/{version()}",
        "Accept": "*/*",
        "X-Scheduler-Run-Id": "41",
        "X-Scheduler-Attempt": "2",
    }


def test_json_is_sent_with_its_type(server: str) -> None:
    told = echoed(send(f"{server}/echo", method="post", json={"a": ["ü", None]}))
    assert (told["method"], json.loads(told["body"])) == ("POST", {"a": ["ü", None]})
    assert told["headers"]["Content-Type"] == "application/json"


def test_own_headers_win_over_defaults(server: str) -> None:
    headers = {"content-type": "text/csv", "USER-AGENT": "mine", "X-A": "é"}
    told = echoed(send(f"{server}/echo", method="PUT", body="ü", headers=headers))
    assert told["body"] == "ü"
    assert {name: told["headers"].get(name) for name in (*headers, "Content-Type", "User-Agent")} == {
        **headers,
        "Content-Type": None,
        "User-Agent": None,
    }


@pytest.mark.parametrize("expect", [{}, {"status": "2xx"}, {"status": [204, 200]}, {"status": ["3xx", "2xx"]}])
def test_status_is_as_expected(server: str, expect: dict[str, Any]) -> None:
    assert send(f"{server}/status/200", expect=expect).code == 0


def test_result_is_kept_if_the_response_is_not_as_expected(server: str) -> None:
    ended = send(f"{server}/status/500")
    assert (ended.code, ended.result["status"]) == (1, 500)


@pytest.mark.parametrize(
    ("path", "expect", "why"),
    [
        ("/status/500", {}, "answered 500 Internal Server Error, expected 2xx"),
        ("/status/200", {"status": [201, "4xx"]}, "answered 200 OK, expected 201 or 4xx"),
        (
            "/to/302/elsewhere",
            {},
            'answered 302 Found, expected 2xx; it redirects to "elsewhere": set follow_redirects',
        ),
        ("/json", {"body_contains": "done"}, 'the body does not contain "done"'),
        ("/bytes/9", {"json_path": {"$": 1}}, "the body is not JSON, so json_path cannot be checked"),
        ("/json", {"json_path": {"$.state": "done"}}, 'the body has "complete" at $.state, expected "done"'),
        ("/json", {"json_path": {"$.items[1]": 1}}, "the body has nothing at $.items[1], expected 1"),
        ("/json", {"json_path": {"$.items[0].ok": 1}}, "the body has true at $.items[0].ok, expected 1"),
    ],
)
def test_unmet_expectation_is_the_message(server: str, path: str, expect: dict[str, Any], why: str) -> None:
    assert why in failure_of(f"{server}{path}", expect=expect)


def test_body_is_kept_up_to_8_kib_and_read_up_to_1_mib(server: str) -> None:
    result = send(f"{server}/bytes/{3 * 1024 * 1024}").result
    assert (len(result["body"]), result["body_bytes"], result["body_truncated"]) == (8192, 1024 * 1024, True)
    assert "only the first 1048576 bytes" in failure_of(f"{server}/bytes/2000000", expect={"body_contains": "y"})


def test_binary_body_is_kept_in_base64(server: str) -> None:
    result = send(f"{server}/binary").result
    assert (result["body"], result["body_encoding"]) == ("AP/+", "base64")


def test_secret_response_headers_are_not_kept(server: str) -> None:
    ended = send(f"{server}/secrets")
    assert ended.result["headers"]["set-cookie"] == ended.result["headers"]["x-api-key"] == "(not kept)"
    assert "x-plain: told" in ended.log
    assert "hush" not in ended.log


class TestRedirects:
    def test_redirect_is_followed_if_asked_for(self, server: str) -> None:
        ended = send(f"{server}/to/307/{server}/echo", method="POST", body="a", follow_redirects=True)
        told = echoed(ended)
        assert (told["method"], told["body"]) == ("POST", "a")
        assert ended.result["url"] == f"{server}/echo"
        assert len(ended.result["redirects"]) == 1

    def test_303_turns_a_post_into_a_get(self, server: str) -> None:
        told = echoed(send(f"{server}/to/303/{server}/echo", method="POST", json={}, follow_redirects=True))
        assert (told["method"], told["body"]) == ("GET", "")
        assert "Content-Type" not in told["headers"]

    def test_another_server_gets_no_header_of_the_job(self, server: str) -> None:
        headers = {"Authorization": "Bearer hush", "X-Token": "hush"}
        with serve() as port:
            url = f"{server}/to/302/http://127.0.0.1:{port}/echo"
            other = echoed(send(url, headers=headers, follow_redirects=True))
        same = echoed(send(f"{server}/to/302/{server}/echo", headers=headers, follow_redirects=True))
        assert "hush" not in str(other["headers"])
        assert same["headers"]["Authorization"] == "Bearer hush"

    def test_more_than_five_redirects_are_refused(self, server: str) -> None:
        why = failure_of(f"{server}/to/302/" + "/to/302/" * 5 + f"{server}/json", follow_redirects=True)
        assert "more than 5 redirects" in why

    @pytest.mark.parametrize("location", ["ftp://example.com/", "http://user:pass@example.com/", "http://[bad/"])
    def test_redirect_to_another_kind_of_url_is_refused(self, server: str, location: str) -> None:
        assert "cannot be followed" in failure_of(f"{server}/to/302/{location}", follow_redirects=True)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/hang", "the request took longer than 0.5 s; it ended while waiting for the response of 127.0.0.1"),
        ("/drip", "the request took longer than 0.5 s; it ended while reading the body from 127.0.0.1"),
        ("/close", "closed the connection without a response"),
        ("/cut", "closed the connection after 4 bytes of the body"),
        ("/nonsense", "did not answer in HTTP"),
    ],
)
def test_server_that_does_not_answer_is_named(server: str, path: str, why: str) -> None:
    assert why in failure_of(f"{server}{path}", timeout_seconds=0.5)


def test_refused_connection_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert f"127.0.0.1:{port} refused the connection; nothing listens there" in failure_of(f"http://127.0.0.1:{port}/")


def test_unknown_host_is_named() -> None:
    assert "the name nowhere.invalid cannot be resolved: " in failure_of("http://nowhere.invalid/")


class TestTls:
    def test_trusted_server_is_accepted(self, authority: Authority) -> None:
        with serve(authority.vouch_for("localhost")) as port:
            ended = send(f"https://localhost:{port}/json", {"SSL_CERT_FILE": str(authority.certificate)})
        assert ended.code == 0
        assert ended.result["timing"]["tls_seconds"] > 0
        assert "agreed on TLSv1.3 in " in ended.log

    def test_unknown_authority_is_refused(self, authority: Authority) -> None:
        with serve(authority.vouch_for("localhost")) as port:
            why = failure_of(f"https://localhost:{port}/")
        assert "is refused: unable to get local issuer certificate; to trust an authority of your own" in why

    def test_certificate_of_another_name_is_refused(self, authority: Authority) -> None:
        with serve(authority.vouch_for("other.example")) as port:
            why = failure_of(f"https://localhost:{port}/", {"SSL_CERT_FILE": str(authority.certificate)})
        assert f"the TLS certificate of localhost:{port} is refused: Hostname mismatch" in why

    def test_expired_certificate_is_refused(self, tmp_path: Path) -> None:
        ca, tls = trustme.CA(), Authority.create(tmp_path).vouch_for("localhost")
        ca.cert_pem.write_to_path(tmp_path / "ca.pem")
        yesterday = datetime.now(UTC) - timedelta(days=1)
        ca.issue_cert("localhost", not_after=yesterday).configure_cert(tls)
        with serve(tls) as port:
            why = failure_of(f"https://localhost:{port}/", {"SSL_CERT_FILE": str(tmp_path / "ca.pem")})
        assert why.endswith("is refused: certificate has expired")

    def test_plain_server_is_named(self, server: str) -> None:
        why = failure_of(server.replace("http:", "https:"))
        assert "no TLS connection to 127.0.0.1" in why
        assert "check that this port speaks https" in why

    def test_redirect_from_https_to_http_is_refused(self, authority: Authority, server: str) -> None:
        with serve(authority.vouch_for("localhost")) as port:
            url, env = f"https://localhost:{port}/to/302/{server}/json", {"SSL_CERT_FILE": str(authority.certificate)}
            assert "redirected from https to http" in failure_of(url, env, follow_redirects=True)
