"""The forms in which code prints a secret: as it is, escaped, quoted, and encoded.

A masker looks for all of them. Forms that the code computes with a key, a hash, a compression or another order of the
characters are not among them: nobody can list those.
"""

from __future__ import annotations

import html
import json
import re
import shlex
from base64 import b32encode, b64encode
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

MIN_BYTES = 6
"""Shorter forms are not looked for: they would mask other text, too. No value is shorter."""
MAX_LINES = 200
_NOT_ENCODED_BY_JAVASCRIPT = "!'()*"
_BASE64_COLUMNS = (76, 64)  # of base64(1) and MIME, and of PEM
_PERCENT = re.compile(r"%[0-9A-F]{2}")
_SHELL_SPECIAL = re.compile(r"([^A-Za-z0-9_@%+=:,./-])")


def forms_of(value: str) -> frozenset[bytes]:
    """Return every form of a value, as bytes of UTF-8, and the plain forms of each of its lines."""
    texts = {value, value.strip()}
    forms = {form for text in texts for form in _forms_of_text(text)}
    lines = sorted({line.strip() for line in value.splitlines()}, key=len, reverse=True)[:MAX_LINES]
    forms |= {form.encode() for line in lines for form in (line, *_in_json(line))}
    return frozenset(form for form in forms if len(form) >= MIN_BYTES)


def _forms_of_text(text: str) -> Iterator[bytes]:
    raw = text.encode()
    for form in (text, text.lower(), text.upper(), *_escaped(text), *_in_urls(text)):
        yield form.encode()
    yield text.encode("unicode_escape")
    yield repr(raw)[2:-1].encode()
    yield from _as_numbers(raw)
    yield from _in_base64(raw)
    yield b32encode(raw)
    yield b32encode(raw).rstrip(b"=")


def _escaped(text: str) -> Iterator[str]:
    """Yield a text as programs write it inside of quotes, markup and commands."""
    yield from _in_json(text)
    for write in (repr, ascii):
        yield write(text)[1:-1]
        # Both kinds of quotes in front make these functions escape those of the text.
        yield write("'\"" + text)[4:-1]
    yield html.escape(text)
    yield html.escape(text, quote=False)
    yield shlex.quote(text)
    yield text.replace("'", "'\\''")
    yield _SHELL_SPECIAL.sub(r"\\\1", text)
    yield text.replace("'", "''")
    yield text.replace('"', '""')
    yield text.replace("\n", "\r\n")


def _in_json(text: str) -> Iterator[str]:
    for ascii_only in (True, False):
        once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield once.replace("/", "\\/")
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]


def _in_urls(text: str) -> Iterator[str]:
    for encoded in (
        quote(text, safe=""),
        quote(text),
        quote_plus(text),
        quote(text, safe=_NOT_ENCODED_BY_JAVASCRIPT),
    ):
        yield encoded
        yield _PERCENT.sub(lambda match: match[0].lower(), encoded)
    yield f"%{text.encode().hex('%')}"
    yield f"%{text.encode().hex('%').upper()}"


def _as_numbers(raw: bytes) -> Iterator[bytes]:
    """Yield bytes in hexadecimal, as one word and as dumps and literals write it, and in decimal."""
    for digits in (raw.hex(), raw.hex(" "), raw.hex(":")):
        yield digits.encode()
        yield digits.upper().encode()
    yield b"\\x" + raw.hex(" ").replace(" ", "\\x").encode()
    yield ", ".join(map(str, raw)).encode()


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """Yield bytes in base64: alone, and the part that is the same wherever they begin in a longer text."""
    whole = b64encode(raw)
    within = [_aligned(raw, before) for before in range(3)]
    wrapped = [_wrap(within[0], columns) for columns in _BASE64_COLUMNS]
    for form in (whole, whole.rstrip(b"="), *within, *wrapped):
        yield form
        yield form.translate(bytes.maketrans(b"+/", b"-_"))


def _aligned(raw: bytes, before: int) -> bytes:
    """Return the characters that depend on `raw` alone if `before` other bytes precede it in its group of three."""
    encoded = b64encode(bytes(before) + raw)
    return encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]


def _wrap(text: bytes, columns: int) -> bytes:
    return b"\n".join(text[at : at + columns] for at in range(0, len(text), columns))
