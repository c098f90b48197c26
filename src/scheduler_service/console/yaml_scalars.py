"""What an unquoted word of a YAML file means, without the surprises of YAML 1.1.

YAML 1.1 and 1.2 read some words differently, such as `no`, `010` and `12:30`. Files must mean the same to every program
and person, so these words are refused. Dates and instants are texts.
"""

from __future__ import annotations

import re

Scalar = str | int | float | bool | None

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+")
_QUOTES = 'write it in quotes ("…") if it is a text'
_SURPRISES = (
    (re.compile(r"(y|yes|on)", re.IGNORECASE), f"is true in YAML 1.1 and text in YAML 1.2; write true, or {_QUOTES}"),
    (
        re.compile(r"(n|no|off)", re.IGNORECASE),
        f"is false in YAML 1.1 and text in YAML 1.2; write false, or {_QUOTES}",
    ),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"), f"is a number to the base 60 in YAML 1.1; {_QUOTES}"),
    (
        re.compile(r"[-+]?(0[0-9_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+)(\.[0-9_]*)?"),
        f"is read as different numbers by YAML 1.1 and 1.2; write a decimal number, or {_QUOTES}",
    ),
    (
        re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?"),
        f"is a number in YAML 1.1 and a text in YAML 1.2; remove the underscores, or {_QUOTES}",
    ),
    (
        re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.|[0-9]+\.?[0-9]*[eE][-+]?[0-9]+|\.[0-9]+[eE][-+]?[0-9]+)"),
        f"is not a number for every YAML program; write it as 1000.5, or {_QUOTES}",
    ),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), f"is not a number of JSON; {_QUOTES}"),
)


def read_plain(word: str) -> Scalar:
    """Return the value of an unquoted word. Raise `ValueError` with the reason and the remedy if it is ambiguous."""
    if word in _NULLS:
        return None
    if word in _BOOLEANS:
        return _BOOLEANS[word]
    if _INTEGER.fullmatch(word):
        return int(word)
    if _NUMBER.fullmatch(word):
        return float(word)
    for pattern, surprise in _SURPRISES:
        if pattern.fullmatch(word):
            raise ValueError(surprise)
    return word


def is_text(word: str) -> bool:
    """Return whether an unquoted word is a text to everybody."""
    try:
        return read_plain(word) == word
    except ValueError:
        return False
