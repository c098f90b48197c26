"""Converts the line endings of scripts that were written on Windows. A shell reads CR as part of a word."""

from __future__ import annotations

import re
from collections.abc import Iterator

BYTE_ORDER_MARK = "\ufeff"
_CRLF = re.compile(r"\r+\n")
_ENDING = re.compile(r"\r+$")
_HERE_DOCUMENT = re.compile(r"(?<!<)<<-?[ \t]*(['\"\\]?)(\w+)['\"]?")


def normalise(script: str) -> str:
    """Return the script without a byte order mark, with LF instead of CRLF at the ends of lines.

    If some lines of the script end in LF alone, here-documents keep their CRLF: there it is data, for example in a mail
    message. A CR that is not at the end of a line is always kept.
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
