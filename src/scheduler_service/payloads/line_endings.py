"""The line endings of scripts that were written on Windows: a shell takes the carriage return for part of a word."""

from __future__ import annotations

import re
from collections.abc import Iterator

BYTE_ORDER_MARK = "\ufeff"
_CRLF = re.compile(r"\r+\n")
_ENDING = re.compile(r"\r+$")
_HERE_DOCUMENT = re.compile(r"(?<!<)<<-?[ \t]*(['\"\\]?)(\w+)['\"]?")


def normalise(script: str) -> str:
    """Return the script without a byte order mark, and with LF where a line ends in CRLF.

    A here-document keeps its CRLF in a script that has lines with LF alone: there CRLF is data, as in a message that is
    sent as it stands. A CR that does not end a line is always kept.
    """
    text = script.removeprefix(BYTE_ORDER_MARK)
    if "\r\n" not in text:
        return text
    if len(_CRLF.findall(text)) == text.count("\n"):
        return _CRLF.sub("\n", text)
    return "\n".join(_outside_here_documents(text.split("\n")))


def _outside_here_documents(lines: list[str]) -> Iterator[str]:
    ends: list[str] = []
    for line in lines:
        if not ends:
            mended = _ENDING.sub("", line)
            ends = [match[2] for match in _HERE_DOCUMENT.finditer(mended)]
            yield mended
        elif line.strip("\t\r") == ends[0]:
            yield _ENDING.sub("", line)
            ends.pop(0)
        else:
            yield line
