"""Messages that repeat names chosen by a job."""

from __future__ import annotations

import pytest

from scheduler_service.sandbox import End, Isolation, Level, Outcome, SandboxError
from scheduler_service.sandbox.contract.wording import LONGEST, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größer als 3 μ", "größer als 3 μ"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("\x1b[31mred\x07\x9b", r"\x1b[31mred\x07\x9b"),
        ("\u202egpj.exe\u2066\ufeff", r"\u202egpj.exe\u2066\ufeff"),
        ("line\u2028paragraph\u2029\x85", r"line\u2028paragraph\u2029\x85"),
        ("lone \udcff", r"lone \udcff"),
    ],
)
def test_text_is_escaped_when_it_is_not_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("character", ["n", "\n", "\U000e0001"])
def test_middle_is_left_out_when_text_is_too_long(character: str) -> None:
    shown = printable(f"begin {character * 10_000} end")
    assert len(shown) <= LONGEST
    assert shown.startswith("begin ")
    assert shown.endswith(" end")


def test_outcomes_and_errors_have_one_printable_line() -> None:
    assert Outcome(End.REJECTED, Isolation(Level.NONE), message="a\nb").message == r"a\nb"
    assert str(SandboxError("two\nlines \x1b[0m")) == r"two lines \x1b[0m"
