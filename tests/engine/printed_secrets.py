"""Ways in which code prints a secret: what runs, and what the log then contains.

The secret is in the variable S, as bytes in B. Each entry is a line of Python; `sh` runs a line of a shell.
"""

from __future__ import annotations

SECRET = "c0rrect 'h\"rse/battery+stäple&"  # noqa: S105 (of this test only)

WAYS: list[tuple[str, str, str]] = [
    # As it is
    ("a line", "print(S)", "***"),
    ("within a sentence", "print('login as', S, 'failed')", "login as *** failed"),
    ("twice without a gap", "print(S + S)", "******"),
    ("in two writes", "out(B[:7]); out(B[7:])", "***"),
    ("in one write a byte", "[out(B[i : i + 1]) for i in range(len(B))]", "***"),
    ("split within a character", "at = B.index(b'\\xc3') + 1; out(B[:at]); out(B[at:])", "***"),
    ("after half of itself", "print(S[:9] + S)", "c0rrect '***"),
    ("on standard error", "print(S, file=sys.stderr)", "***"),
    ("by a shell", "sh('echo \"$SECRET\"')", "***"),
    ("in the environment", "sh('env | grep ^SECRET=')", "SECRET=***"),
    ("from its file", "sh('cat secret.txt')", "***"),
    ("in upper case", "print(S.upper())", "***"),
    ("in lower case", "print(S.lower())", "***"),
    ("between control characters", "print(f'\\x1b[1m{S}\\x1b[0m')", "\x1b[1m***\x1b[0m"),
    ("beside bytes that are no text", "out(b'\\xff' + B + b'\\xff')", "\ufffd***\ufffd"),
    ("as the name of a file", "print(Path('/tmp') / S)", "/tmp/***"),  # noqa: S108
    # Quoted
    ("repr of Python", "print(repr(S))", "'***'"),
    ("in a list", "print(['user', S])", "['user', '***']"),
    ("repr of bytes", "print(B)", "b'***'"),
    ("ascii of Python", "print(ascii(S))", "'***'"),
    ("unicode_escape", "print(S.encode('unicode_escape').decode())", "***"),
    ("in the text of an error", "print(repr(ValueError(f'bad password: {S}')))", "ValueError('bad password: ***')"),
    ("in a traceback", "show_traceback(S)", "ValueError: ***"),
    ("quoted for a shell", "print(shlex.quote(S))", "***"),
    ("printf %q of a shell", 'sh(\'printf "%q\\n" "$ASCII_SECRET"\')', "***"),
    ("traced by a shell", "sh('set -x; : \"$ASCII_SECRET\"')", "+ : ***"),
    ("as a literal of SQL", 'print("\'" + S.replace("\'", "\'\'") + "\'")', "'***'"),
    ("in a line of CSV", "csv.writer(sys.stdout).writerow(['a', S])", 'a,"***"\r'),
    ("in HTML", "print(html.escape(S))", "***"),
    ("in HTML without quotes", "print(html.escape(S, quote=False))", "***"),
    # JSON
    ("JSON in ASCII", "print(json.dumps({'password': S}))", '{"password": "***"}'),
    ("JSON in UTF-8", "print(json.dumps({'password': S}, ensure_ascii=False))", '{"password": "***"}'),
    ("JSON with escaped slashes", "print(json.dumps(S).replace('/', '\\\\/'))", '"***"'),
    ("JSON within JSON", "print(json.dumps(json.dumps(S)))", '"\\"***\\""'),
    # Web addresses
    ("in a path", "print(quote(S, safe=''))", "***"),
    ("in a path with slashes", "print(quote(S))", "***"),
    ("in a query", "print('?' + urlencode({'password': S}))", "?password=***"),
    ("in a query with small digits", "print(quote_plus(S).replace('%C3%A4', '%c3%a4').lower())", "***"),
    ("every byte in percent", "print(''.join(f'%{b:02x}' for b in B))", "***"),
    ("user and password in an address", "print(f'https://me:{quote(S)}@example.org/')", "https://me:***@example.org/"),
    # Base64
    ("base64", "print(b64encode(B).decode())", "***"),
    ("base64 without padding", "print(b64encode(B).decode().rstrip('='))", "***"),
    ("base64 for addresses", "print(urlsafe_b64encode(B).decode())", "***"),
    ("base64 after one byte", "print(b64encode(b'x' + B).decode())", "eG***Y="),
    ("base64 after two bytes", "print(b64encode(b'xy' + B).decode())", "eHl***"),
    ("basic authentication", "print('Basic', b64encode(b'me:' + B).decode())", "Basic bWU6***"),
    ("base64 of a line", "sh('echo \"$SECRET\" | base64')", "***o="),
    ("base64 in two writes", "e = b64encode(B); out(e[:9]); out(e[9:])", "***"),
    ("base32", "print(b32encode(B).decode())", "***"),
    # Numbers
    ("hexadecimal", "print(B.hex())", "***"),
    ("hexadecimal in capitals", "print(B.hex().upper())", "***"),
    ("hexadecimal with colons", "print(B.hex(':'))", "***"),
    ("hexadecimal in two writes", "out(B.hex()[:5].encode()); out(B.hex()[5:].encode())", "***"),
    ("a dump of bytes", "print(B.hex(' '))", "***"),
    ("escapes of bytes", "print(''.join(f'\\\\x{b:02x}' for b in B))", "***"),
    ("a list of bytes", "print(list(B))", "[***]"),
]
