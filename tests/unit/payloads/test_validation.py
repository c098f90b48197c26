"""What each payload kind accepts and refuses, and which field it names."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from scheduler_service.payloads import registry
from scheduler_service.payloads.registry import AnyPayload
from scheduler_service.sandbox.contract.spec import Program, PythonCode, Script

KIB = 1024


class Holder(BaseModel):
    payload: AnyPayload


def python(code: str, **more: Any) -> dict[str, Any]:
    return {"type": "python_code", "code": code, **more}


def shell(script: str) -> dict[str, Any]:
    return {"type": "shell_script", "script": script}


def program(*argv: Any, **more: Any) -> dict[str, Any]:
    return {"type": "program", "argv": list(argv), **more}


def crunch(operation: str, **parameters: Any) -> dict[str, Any]:
    return {"type": "number_crunching", "operation": operation, **parameters}


def request(url: str = "https://example.com/", **more: Any) -> dict[str, Any]:
    return {"type": "http_request", "url": url, **more}


def expecting(**expect: Any) -> dict[str, Any]:
    return request(expect=expect)


GOOD = [
    python("print('hi')"),
    python("x = 1" + "\n" * (256 * KIB - 5)),
    python("print 'an older grammar'", environment="python2"),
    python("-" * 10_000 + "1"),
    python("1" + "+1" * 8_000),
    python(r"print('\d')"),
    python("x = (" + " " * 16 * KIB),
    python("async def f():\n    await g()\nfor x in y:\n    try:\n        break\n    finally:\n        pass"),
    crunch("statistics", values=[1], seed=0),
    shell("echo hi"),
    shell("#!/usr/bin/env python3\nprint('hi')"),
    shell("ü" * (128 * KIB)),
    program("true"),
    program("grep", "", "file"),
    program("cat", stdin="ü" * (128 * KIB)),
    program("x" * (128 * KIB - 1)),
    program(*["x"] * 1024),
    crunch("fibonacci", n=0),
    crunch("fibonacci", n=1_000_000),
    crunch("factorial", n=50_000),
    crunch("prime_numbers", limit=0),
    crunch("prime_numbers", limit=100_000_000),
    crunch("matrix_multiplication", size=3000),
    crunch("matrix_multiplication", size=1, seed=2**63 - 1),
    crunch("monte_carlo_pi", samples=1_000_000_000, seed=1),
    crunch("statistics", size=10_000_000, seed=1),
    crunch("statistics", values=[1, 2.5, -1e150]),
    crunch("statistics", size=None, values=[1]),
    crunch("eigenvalues", size=2000),
    request("http://[::1]:8080/a?b=c%20d#e"),
    request("https://bücher.example/ü"),
    request(method="DELETE", headers={"Authorization": "Bearer x", "X-Empty": ""}),
    request(method="POST", body="ü" * (128 * KIB)),
    request(method="POST", json=[{"a": None}, 1.5, True]),
    request(body=None, json=None, timeout_seconds=3600, follow_redirects=True),
    expecting(status=[200, "3xx"], body_contains="ok", json_path={}),
    expecting(status=599, body_contains=None, json_path={"$": 1, "$.a-b[0]['c d'][\"e\"]": None}),
]

BAD: list[tuple[Any, str, str]] = [
    (None, "payload", "object"),
    ("python_code", "payload", "object"),
    ([], "payload", "object"),
    ({}, "payload.type", "required"),
    ({"type": "cobol"}, "payload.type", "one of http_request, number_crunching, program, python_code, shell_script"),
    ({"type": ["program"]}, "payload.type", "one of"),
    ({"type": "python_code"}, "payload.code", "required"),
    (python(""), "payload.code", "must not be empty"),
    (python(" \n\t"), "payload.code", "must not be empty"),
    (python("x = '\0'"), "payload.code", "NUL"),
    (python("x = '\ud800'"), "payload.code", "surrogate"),
    (python("x" * (256 * KIB + 1)), "payload.code", "262144"),
    (python("ü" * (128 * KIB) + "x"), "payload.code", "262144"),
    (python("x = 1\nif x\n  pass"), "payload.code", "syntax error in line 2"),
    (python("print 'an older grammar'"), "payload.code", "syntax error in line 1"),
    (python("x = 1\nreturn x"), "payload.code", "syntax error in line 2: 'return' outside function"),
    (python("await x()"), "payload.code", "syntax error in line 1: 'await' outside function"),
    (python("def f():\n    x = 1\n    global x"), "payload.code", "syntax error in line 3: name 'x' is assigned"),
    (python("(" * 300 + ")" * 300), "payload.code", "too many nested parentheses"),
    (python("1", environment=""), "payload.environment", "must be a name"),
    (python("1", environment="../bin"), "payload.environment", "must be a name"),
    (python("1", language="python"), "payload.language", "not permitted"),
    (python(1), "payload.code", "string"),  # type: ignore[arg-type]
    (shell(""), "payload.script", "must not be empty"),
    (shell("echo \0"), "payload.script", "NUL"),
    (shell("echo \udfff"), "payload.script", "surrogate"),
    (shell("x" * (256 * KIB + 1)), "payload.script", "262144"),
    ({"type": "shell_script"}, "payload.script", "required"),
    (program(), "payload.argv", "at least 1 item"),
    (program(""), "payload.argv", "is blank"),
    (program("echo", 1), "payload.argv.1", "string"),
    (program("echo", "a\0b"), "payload.argv.1", "NUL"),
    (program("echo", "\ud800"), "payload.argv.1", "surrogate"),
    (program("x" * 128 * KIB), "payload.argv", "131072"),
    (program(*["x"] * 1025), "payload.argv", "at most 1024 items"),
    (program("cat", stdin="x" * (256 * KIB + 1)), "payload.stdin", "262144"),
    (program("cat", stdin="\0"), "payload.stdin", "NUL"),
    ({"type": "program", "argv": "ls -l"}, "payload.argv", "list"),
    ({"type": "number_crunching"}, "payload.operation", "required"),
    (crunch("square_root"), "payload.operation", "one of eigenvalues, factorial"),
    (crunch("fibonacci"), "payload.n", "required"),
    (crunch("fibonacci", n=-1), "payload.n", "greater than or equal to 0"),
    (crunch("fibonacci", n=1_000_001), "payload.n", "less than or equal to 1000000"),
    (crunch("fibonacci", n=10**400), "payload.n", "less than or equal to 1000000"),
    (crunch("fibonacci", n=1.5), "payload.n", "integer"),
    (crunch("fibonacci", n="10"), "payload.n", "integer"),
    (crunch("fibonacci", n=True), "payload.n", "integer"),
    (crunch("fibonacci", n=1, m=2), "payload.m", "not permitted"),
    (crunch("factorial", n=50_001), "payload.n", "less than or equal to 50000"),
    (crunch("prime_numbers", limit=100_000_001), "payload.limit", "less than or equal to 100000000"),
    (crunch("prime_numbers", limit=float("nan")), "payload.limit", "integer"),
    (crunch("matrix_multiplication", size=0), "payload.size", "greater than or equal to 1"),
    (crunch("matrix_multiplication", size=3001), "payload.size", "less than or equal to 3000"),
    (crunch("matrix_multiplication", size=2, seed=-1), "payload.seed", "greater than or equal to 0"),
    (crunch("matrix_multiplication", size=2, seed=2**63), "payload.seed", "less than or equal to"),
    (crunch("monte_carlo_pi", samples=1_000_000_001), "payload.samples", "less than or equal to 1000000000"),
    (crunch("statistics"), "payload.size", "either size"),
    (crunch("statistics", size=1, values=[1.0]), "payload.size", "either size"),
    (crunch("statistics", values=[1, 2], seed=4), "payload.seed", "has no effect on values"),
    (crunch("statistics", size=10_000_001), "payload.size", "less than or equal to 10000000"),
    (crunch("statistics", values=[]), "payload.values", "at least 1 item"),
    (crunch("statistics", values=[0.0] * 100_001), "payload.values", "at most 100000 items"),
    (crunch("statistics", values=[1, float("inf")]), "payload.values.1", "finite"),
    (crunch("statistics", values=[1e151]), "payload.values.0", "less than or equal to"),
    (crunch("statistics", values=["1"]), "payload.values.0", "number"),
    (crunch("eigenvalues", size=2001), "payload.size", "less than or equal to 2000"),
    ({"type": "http_request"}, "payload.url", "required"),
    (request("example.com/"), "payload.url", "begins with http:// or https://"),
    (request("ftp://example.com/"), "payload.url", "begins with http:// or https://"),
    (request("http:///path"), "payload.url", "begins with http:// or https://"),
    (request("https://user:secret@example.com/"), "payload.url", "in a header"),
    (request("https://example.com/a b"), "payload.url", "percent-encode"),
    (request("https://example.com/\r\nHost: other"), "payload.url", "percent-encode"),
    (request("https://example.com\t/"), "payload.url", "percent-encode"),
    (request("https://example.com/\ud800"), "payload.url", "string"),
    (request("https://example.com:0/"), "payload.url", "port 0"),
    (request("https://example.com:65536/"), "payload.url", "out of range"),
    (request(f"https://{'é' * 64}.example/"), "payload.url", "cannot be encoded"),
    (request("https://example.com/" + "a" * 8192), "payload.url", "8192"),
    (request(method="TRACE"), "payload.method", "GET"),
    (request(headers={"X\r\nY": "1"}), "payload.headers.X\r\nY", "invalid header name"),
    (request(headers={"": "1"}), "payload.headers.", "invalid header name"),
    (request(headers={"X": "1\r\nY: 2"}), "payload.headers.X", "line breaks"),
    (request(headers={"X": "a\x7f"}), "payload.headers.X", "control characters"),
    (request(headers={"X": "✓"}), "payload.headers.X", "Latin-1"),
    (request(headers={"Host": "other"}), "payload.headers.Host", "remove it"),
    (request(headers={"content-length": "1"}), "payload.headers.content-length", "remove it"),
    (request(headers={"Transfer-Encoding": "chunked"}), "payload.headers.Transfer-Encoding", "remove it"),
    (request(headers={"X-Scheduler-Run-Id": "1"}), "payload.headers.X-Scheduler-Run-Id", "remove it"),
    (request(headers={"A": "1", "a": "2"}), "payload.headers.a", "twice"),
    (request(headers={"A": "x" * 16 * KIB}), "payload.headers", "16384"),
    (request(headers={f"A{i}": "" for i in range(65)}), "payload.headers", "at most 64 items"),
    (request(body="a", json={}), "payload.json", "together with body"),
    (request(body="x" * (256 * KIB + 1)), "payload.body", "262144"),
    (request(json="x" * 256 * KIB), "payload.json", "262144"),
    (request(json={"a": ["\0"]}), "payload.json", "NUL"),
    (request(follow_redirects="yes"), "payload.follow_redirects", "boolean"),
    (request(timeout_seconds=0), "payload.timeout_seconds", "0.1"),
    (request(timeout_seconds=3601), "payload.timeout_seconds", "3600"),
    (expecting(status=199), "payload.expect.status", "from 200 to 599"),
    (expecting(status=True), "payload.expect.status", "from 200 to 599"),
    (expecting(status=[]), "payload.expect.status", "from 200 to 599"),
    (expecting(status=[200, "6xx"]), "payload.expect.status", "2xx, 3xx, 4xx, 5xx"),
    (expecting(body_contains=""), "payload.expect.body_contains", "at least 1"),
    (expecting(body="ok"), "payload.expect.body", "not permitted"),
    (expecting(json_path={"a": 1}), "payload.expect.json_path", "begin it with $"),
    (expecting(json_path={"$.a[*]": 1}), "payload.expect.json_path", "'[*]' is not understood"),
    (expecting(json_path={"$.a": "\0"}), "payload.expect.json_path", "NUL"),
    (expecting(json_path={f"$.a{i}": 1 for i in range(21)}), "payload.expect.json_path", "at most 20 items"),
]


@pytest.mark.parametrize("given", GOOD, ids=lambda given: repr(given)[:60])
def test_valid_payload_is_dumped_as_it_was_given(given: dict[str, Any]) -> None:
    dumped = Holder(payload=given).model_dump(mode="json")["payload"]
    assert {name: dumped[name] for name in given} == given
    assert Holder(payload=dumped).payload == Holder(payload=given).payload


@pytest.mark.parametrize(("given", "where", "why"), BAD, ids=lambda value: repr(value)[:40])
def test_invalid_payload_is_refused_at_its_wrong_field(given: Any, where: str, why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Holder(payload=given)
    problems = [(".".join(map(str, problem["loc"])), problem["msg"]) for problem in refused.value.errors()]
    assert [place for place, _ in problems] == [where]
    assert why in problems[0][1]


def test_every_problem_of_a_payload_is_reported() -> None:
    with pytest.raises(ValidationError) as refused:
        Holder(payload=crunch("matrix_multiplication", size=0, seed=-1, colour="red"))
    assert [problem["loc"][-1] for problem in refused.value.errors()] == ["size", "seed", "colour"]


def test_long_code_is_not_parsed() -> None:
    # Parsing this takes a minute and 18 GB of memory.
    payload = Holder(payload=python("import a" + ".a" * (100 * KIB)))
    assert isinstance(payload.payload.command(), PythonCode)


@pytest.mark.parametrize("levels", [18, 40])
def test_code_that_is_slow_to_compile_is_not_compiled(levels: int) -> None:
    # Each `return` holds a copy of every `finally` around it, and each of those again of the ones around that.
    tries = "".join(f"{' ' * (level + 1)}try:\n" for level in range(levels))
    finals = "".join(f"{' ' * (level + 1)}finally:\n{' ' * (level + 2)}return\n" for level in reversed(range(levels)))
    began = time.process_time()
    Holder(payload=python(f"def f():\n{tries}{' ' * (levels + 1)}return\n{finals}"))
    assert time.process_time() - began < 0.3


def test_payload_is_read_from_json() -> None:
    payload = Holder.model_validate_json('{"payload": {"type": "program", "argv": ["true"]}}').payload
    assert payload == registry.adapter().validate_python(program("true"))


@pytest.mark.parametrize(
    ("given", "command"),
    [
        (python("1"), PythonCode("1", "default")),
        (python("1", environment="science"), PythonCode("1", "science")),
        (shell("echo"), Script("echo")),
        (program("cat", "-", stdin="ü"), Program(("cat", "-"), "ü".encode())),
    ],
)
def test_payload_builds_its_command(given: dict[str, Any], command: object) -> None:
    payload = registry.adapter().validate_python(given)
    assert payload.command() == command
    assert payload.result("whatever it wrote") is None
