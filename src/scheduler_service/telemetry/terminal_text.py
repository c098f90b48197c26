"""Makes text from users safe to print on a terminal.

A job's name or output can contain control sequences that move the cursor, change the window title or hide text. Tables
and messages show every control character as an escape. Logs drop control sequences, because programs often print
colours.
"""

from __future__ import annotations

import re


def printable(text: str, *, keep: str = "") -> str:
    """Return the text with each non-printable character escaped, except for those in `keep`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else _escape(char) for char in text)


def plain(log: str) -> str:
    """Return a piece of a log without control sequences and control characters, except newlines and tabs.

    A carriage return, which programs print to overwrite a line, becomes a newline. If a sequence is split at the end of
    the piece, its beginning is dropped and the rest appears as harmless text.
    """
    text = _SEQUENCE.sub("", log).replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


# ECMA-48: a control sequence (CSI), a control string (OSC, DCS, SOS, PM, APC) up to its terminator or the end of the
# line, or a plain escape.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
# C0, DEL and C1 except tab, newline and carriage return, and the characters that reverse the reading direction.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
