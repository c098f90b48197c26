"""Sentences for people that repeat what a job chose: names of programs, files and interpreters."""

from __future__ import annotations

LONGEST = 500
_LEFT_OUT = "…"


def printable(text: str) -> str:
    """Return `text` as one line of printable characters, at most `LONGEST` of them.

    Line breaks, terminal controls, text direction marks and lone surrogates become escapes, as `repr` writes them.
    Of a longer text the middle is left out: the beginning says what happened, the end says why.
    """
    if len(text) > LONGEST:
        text = _shorten(text)  # first, so that escaping costs little however long the text is
    shown = "".join(character if character.isprintable() else _escape(character) for character in text)
    return _shorten(shown) if len(shown) > LONGEST else shown


def _escape(character: str) -> str:
    return repr(character)[1:-1]


def _shorten(text: str) -> str:
    half = (LONGEST - len(_LEFT_OUT)) // 2
    return f"{text[:half]}{_LEFT_OUT}{text[-half:]}"
