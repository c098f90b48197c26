"""Bodies that are no JSON, ids, pages, headers, keys, and preconditions."""

from __future__ import annotations

import json

from tests.api.bad_inputs.requests import DEFINITION, Bad, Table, raw, request

WHOLE = json.dumps(DEFINITION)


def depth(brackets: int) -> Bad:
    return raw(400, f'{{"args": {"[" * brackets}{"]" * brackets}}}')


BODIES: Table = {
    "cut off": raw(400, WHOLE[:-1]),
    "only a brace": raw(400, "{"),
    "two documents": raw(400, WHOLE + WHOLE),
    "text behind the document": raw(400, WHOLE + "x"),
    "comma before the end": raw(400, '{"name": "a",}'),
    "single quotes": raw(400, "{'name': 'a'}"),
    "names without quotes": raw(400, '{name: "a"}'),
    "comment": raw(400, '{"name": "a"} // a'),
    "raw line break in a text": raw(400, '{"name": "a\nb"}'),
    "raw NUL in a text": raw(400, '{"name": "a\0b"}'),
    "unknown escape": raw(400, '{"name": "\\x41"}'),
    "half an escape": raw(400, '{"name": "\\u00"}'),
    "True of Python": raw(400, '{"enabled": True}'),
    "undefined of JavaScript": raw(400, '{"name": undefined}'),
    "a form": raw(400, "name=a&schedule_expr=5m"),
    "XML": raw(400, "<job/>"),
    "only blanks": raw(400, "   "),
    "NUL bytes": raw(400, b"\0\0\0\0"),
}

ENCODINGS: Table = {
    "invalid UTF-8": raw(400, b'{"name": "\xff"}'),
    "overlong UTF-8": raw(400, b'{"name": "\xc0\xaf"}'),
    "surrogate in UTF-8": raw(400, b'{"name": "\xed\xa0\x80"}'),
    "cut character": raw(400, b'{"name": "\xc3"}'),
    "Latin-1": raw(400, '{"name": "\u00fc"}'.encode("latin-1")),
    "UTF-16": raw(400, WHOLE.encode("utf-16")),
    "UTF-32": raw(400, WHOLE.encode("utf-32")),
    "charset Latin-1": raw(415, WHOLE, Content_Type="application/json; charset=latin-1"),
    "charset UTF-16": raw(415, WHOLE, Content_Type="application/json; charset=utf-16"),
    "charset that does not exist": raw(415, WHOLE, Content_Type="application/json; charset=utf-9"),
    "gzip": raw(415, b"\x1f\x8b\x08", Content_Encoding="gzip"),
    "br": raw(415, WHOLE, Content_Encoding="br"),
    "identity and gzip": raw(415, WHOLE, Content_Encoding="identity, gzip"),
    "type text/plain": raw(415, WHOLE, Content_Type="text/plain"),
    "type of forms": raw(415, WHOLE, Content_Type="application/x-www-form-urlencoded"),
    "type of files": raw(415, WHOLE, Content_Type="multipart/form-data; boundary=x"),
    "type that is none": raw(415, WHOLE, Content_Type="json"),
    "empty type": raw(415, WHOLE, Content_Type=""),
    "query in invalid UTF-8": request("q", "GET /jobs?q=%ff"),
    "query with half an escape": request("size", "GET /jobs?size=%"),
    "name of a parameter in invalid UTF-8": request("\ufffd", "GET /jobs?%ff=1"),
}

DEPTHS: Table = {f"{brackets} brackets": depth(brackets) for brackets in (1500, 5000, 50_000, 400_000)} | {
    "objects 5,000 deep": raw(400, '{"a":' * 5000 + "1" + "}" * 5000),
    "brackets that never close": raw(400, "[" * 100_000),
    "70,000 unknown fields": raw(
        "#/name", json.dumps({f"x{number}": 1 for number in range(70_000)}, separators=(",", ":"))
    ),
}

DUPLICATES: Table = {
    "a name": raw(400, '{"name": "a", "name": "b"}'),
    "the same value": raw(400, '{"name": "a", "name": "a"}'),
    "an escaped name": raw(400, '{"name": "a", "n\\u0061me": "b"}'),
    "an empty name": raw(400, '{"": 1, "": 2}'),
    "in an inner object": raw(400, '{"name": "a", "retry_policy": {"jitter": 0, "jitter": 1}}'),
    "in a list": raw(400, '{"tags": [{"a": 1, "a": 2}]}'),
    "a parameter": request("page", "GET /jobs?page=1&page=2"),
    "an escaped parameter": request("page", "GET /jobs?page=1&p%61ge=2"),
}

DIGITS: Table = {
    "5,000 digits": raw(400, '{"priority": ' + "9" * 5000 + "}"),
    "leading zero": raw(400, '{"priority": 05}'),
    "hexadecimal": raw(400, '{"priority": 0x5}'),
    "point at the end": raw(400, '{"priority": 5.}'),
    "point at the beginning": raw(400, '{"priority": .5}'),
    "plus": raw(400, '{"priority": +5}'),
    "underscore": raw(400, '{"priority": 1_0}'),
    "digits of another script": raw(400, '{"priority": \u0665}'),
    "infinite exponent": raw("#/name", '{"schedule_expr": "5m", "payload": {"type": "x"}, "priority": 1e999}'),
}

IDS: Table = {
    "word": request("job_id", "GET /jobs/one"),
    "0": request("job_id", "GET /jobs/0"),
    "-1": request("job_id", "GET /jobs/-1"),
    "20 digits": request("job_id", "DELETE /jobs/99999999999999999999"),
    "5,000 digits": request("job_id", f"GET /jobs/{'9' * 5000}"),
    "1.0": request("job_id", "GET /jobs/1.0"),
    "01": request("job_id", "GET /jobs/01"),
    "+1": request("job_id", "GET /jobs/+1"),
    "1e3": request("job_id", "GET /jobs/1e3"),
    "1_0": request("job_id", "GET /jobs/1_0"),
    "0x1": request("job_id", "GET /jobs/0x1"),
    "blank before it": request("job_id", "GET /jobs/%201"),
    "line break behind it": request("job_id", "GET /jobs/1%0A"),
    "NUL behind it": request(400, "GET /jobs/1%00"),
    "digits of another script": request("job_id", "GET /jobs/%D9%A1"),
    "quote": request("job_id", "GET /jobs/1'"),
    "SQL": request("job_id", "GET /jobs/1%20OR%201=1"),
    "list": request("job_id", "GET /jobs/1,2"),
    "of a run": request("run_id", "POST /runs/1.5/cancel"),
    "of an alert": request("alert_id", "GET /alerts/one"),
    "slash in an id": request(405, "GET /jobs/1%2Frun"),
    "path out of the API": request(404, "GET /jobs/..%2F..%2Fetc%2Fpasswd"),
    "slash at the end": request(404, "GET /jobs/"),
    "name of another noun": request(404, "GET /jbos"),
    "long key id": request("key_id", f"GET /keys/{'x' * 33}"),
    "secret with a slash": request(404, "GET /secrets/a%2Fb"),
    "artifact out of its directory": request(404, "GET /runs/1/artifacts/..%2F..%2Fx"),
    "method that a path lacks": request(405, "DELETE /jobs"),
    "method of a sibling": request(405, "PUT /alerts/preview"),
    "method that nobody has": request(405, "TRACE /jobs/1"),
}

PAGES: Table = {
    "page 0": request("page", "GET /jobs?page=0"),
    "page -1": request("page", "GET /jobs?page=-1"),
    "page that is a word": request("page", "GET /jobs?page=two"),
    "empty page": request("page", "GET /jobs?page="),
    "page of 30 digits": request("page", "GET /jobs?page=999999999999999999999999999999"),
    "page 1.5": request("page", "GET /jobs?page=1.5"),
    "size 0": request("size", "GET /jobs?size=0"),
    "size 101": request("size", "GET /runs?size=101"),
    "size of entries": request("size", "GET /audit?size=1000"),
    "unknown order": request("sort", "GET /jobs?sort=age"),
    "unknown status of jobs": request("status", "GET /jobs?status=running"),
    "unknown status of runs": request("status", "GET /runs?status=done"),
    "cursor that is none": request("cursor", "GET /jobs?cursor=x"),
    "cursor that is base64 of something": request("cursor", "GET /runs?cursor=eyJhIjogMX0"),
    "NUL in a search": request("q", "GET /jobs?q=a%00"),
    "NUL in a wanted name": request("name", "GET /jobs?name=a%00"),
    "wanted name of 201 letters": request("name", "GET /jobs?name=" + "x" * 201),
    "search of 50,000 letters": request("q", "GET /jobs?q=" + "x" * 50_000),
    "owner of 129 letters": request("owner_id", "GET /runs?owner_id=" + "x" * 129),
    "tag of 65 letters": request("tag", "GET /jobs?tag=" + "x" * 65),
    "NUL in an owner": request("owner_id", "GET /jobs?owner_id=%00"),
    "NUL in a wanted tag": request("tag", "GET /jobs?tag=%00"),
    "unknown parameter": request("pagee", "GET /jobs?pagee=1"),
    "unknown parameter where none is taken": request("verbose", "GET /jobs/1?verbose=1"),
    "unknown parameter beside a body": request("dry_run", "POST /jobs?dry_run=1", DEFINITION),
    "late by a number": request("late", "GET /runs?late=90"),
    "before run 0": request("before_id", "GET /runs?before_id=0"),
    "no instants": request("count", "GET /jobs/1/next?count=0"),
    "too many instants": request("count", "GET /jobs/1/next?count=1001"),
    "negative offset": request("offset", "GET /runs/1/logs?offset=-1"),
    "offset 1.0": request("offset", "GET /runs/1/logs?offset=1.0"),
}

HEADERS: Table = {
    "empty idempotency key": request("Idempotency-Key", "POST /jobs", DEFINITION, Idempotency_Key=""),
    "idempotency key of 256 characters": request(
        "Idempotency-Key", "POST /jobs", DEFINITION, Idempotency_Key="x" * 256
    ),
    "idempotency key with a blank": request("Idempotency-Key", "POST /jobs", DEFINITION, Idempotency_Key="a b"),
    "idempotency key with a tab": request("Idempotency-Key", "POST /jobs", DEFINITION, Idempotency_Key="a\tb"),
    "idempotency key of other letters": request(
        "Idempotency-Key", "POST /jobs/1/run", Idempotency_Key="\u00e4".encode()
    ),
    "last event that is no offset": request("Last-Event-ID", "GET /runs/1/logs", Last_Event_ID="x"),
    "last event of 65 characters": request("Last-Event-ID", "GET /events", Last_Event_ID="1" * 65),
    "If-Match that is no tag": request("If-Match", "PATCH /jobs/{job}", {"name": "x"}, If_Match="1"),
    "If-Match of another version": request(412, "PATCH /jobs/{job}", {"name": "x"}, If_Match='"999-0"'),
    "If-Match that is weak": request(412, "PATCH /jobs/{job}", {"name": "x"}, If_Match='W/"1"'),
    "If-Match without its end": request("If-Match", "PATCH /jobs/{job}", {"name": "x"}, If_Match='"1'),
    "If-Match of a deletion": request(412, "DELETE /jobs/{job}", If_Match='"999-0"'),
    "If-Match with SQL": request("If-Match", "DELETE /jobs/{job}", If_Match='"\' OR 1=1"'),
    "expectation other than 100-continue": request(200, "GET /jobs", Expect="a miracle"),
}

KEYS: Table = {
    "empty": request(401, "GET /jobs", X_API_Key=""),
    "wrong": request(401, "GET /jobs", X_API_Key="wrong"),
    "beginning of the right one": request(401, "GET /jobs", X_API_Key="your-secret-api-key-her"),
    "right one with a remainder": request(401, "GET /jobs", X_API_Key="your-secret-api-key-here0"),
    "right one in capitals": request(401, "GET /jobs", X_API_Key="YOUR-SECRET-API-KEY-HERE"),
    "in quotes": request(401, "GET /jobs", X_API_Key='"your-secret-api-key-here"'),
    "as a bearer": request(401, "GET /jobs", X_API_Key="Bearer your-secret-api-key-here"),
    "of an invented id": request(401, "GET /jobs", X_API_Key=f"sk_{'0' * 12}_{'A' * 43}"),
    "without its secret": request(401, "GET /jobs", X_API_Key=f"sk_{'0' * 12}_"),
    "with an id that is too long": request(401, "GET /jobs", X_API_Key=f"sk_{'0' * 13}_{'A' * 43}"),
    "with SQL": request(401, "GET /jobs", X_API_Key="sk_' OR 1=1 --_x"),
    "in other letters": request(401, "GET /jobs", X_API_Key="\u00e9".encode("latin-1")),
    "of 10,000 characters": request(401, "GET /jobs", X_API_Key="x" * 10_000),
    "wrong, with a body that is no JSON": raw(401, "{ no json", X_API_Key="wrong"),
    "to another host": request(403, "GET /jobs", Host="evil.example"),
    "from a page of another host": request(403, "GET /jobs", Origin="https://evil.example"),
    "through a proxy": request(403, "GET /jobs", X_Forwarded_For="93.184.215.14"),
    "new one without an owner": request("#", "POST /keys", {"scopes": ["read"]}),
    "new one with an empty owner": request("#/owner_id", "POST /keys", {"owner_id": ""}),
    "new one with an unknown scope": request("#/scopes/0", "POST /keys", {"owner_id": "a", "scopes": ["root"]}),
    "new one with a past end": request(
        "#/expires_at", "POST /keys", {"owner_id": "a", "expires_at": "2020-01-01T00:00:00Z"}
    ),
    "rotation with a negative overlap": request("#/overlap_seconds", "POST /keys/x/rotate", {"overlap_seconds": -1}),
    "secret that is too short": request("#/value", "PUT /secrets/a", {"value": "short"}),
    "secret with NUL": request("#/value", "PUT /secrets/a", {"value": "long enough\0"}),
    "secret with a blank in its name": request("name", "PUT /secrets/a%20b", {"value": "long enough"}),
}

QUOTAS: Table = {
    "fewer jobs than none": request("#/jobs", "PUT /owners/a/quotas", {"jobs": -1}),
    "jobs that are a word": request("#/jobs", "PUT /owners/a/quotas", {"jobs": "many"}),
    "half a run in a minute": request("#/runs_per_minute", "PUT /owners/a/quotas", {"runs_per_minute": 0.5}),
    "concurrent runs that are true": request("#/concurrent_runs", "PUT /owners/a/quotas", {"concurrent_runs": True}),
    "interval of more than a day": request(
        "#/min_interval_seconds", "PUT /owners/a/quotas", {"min_interval_seconds": 86_401}
    ),
    "environments in a list": request("#/environments", "PUT /owners/a/quotas", {"environments": [1]}),
    "stored MB with a unit": request("#/stored_mb", "PUT /owners/a/quotas", {"stored_mb": "5 GB"}),
    "more stored MB than any": request("#/stored_mb", "PUT /owners/a/quotas", {"stored_mb": 100_000_001}),
    "negative stored MB": request("#/stored_mb", "PUT /owners/a/quotas", {"stored_mb": -1}),
    "weight 0": request("#/weight", "PUT /owners/a/quotas", {"weight": 0}),
    "unknown quota": request("#/log_mb", "PUT /owners/a/quotas", {"log_mb": 5}),
    "quotas in a list": request("#", "PUT /owners/a/quotas", [{"jobs": 5}]),
    "no quotas": request("#", "PUT /owners/a/quotas"),
    "owner of 129 letters": request("owner_id", f"PUT /owners/{'x' * 129}/quotas", {"jobs": 5}),
    "NUL in an owner": request(400, "GET /owners/%00/quotas"),
    "removal from an owner without quotas": request(404, "DELETE /owners/nobody/quotas"),
    "quotas of all owners, changed": request(405, "PUT /quotas", {"jobs": 5}),
}
