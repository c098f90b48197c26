"""Text from others cannot control the reader's terminal."""

from __future__ import annotations

import pytest

from scheduler_service.telemetry.terminal_text import plain, printable


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("nightly report", "nightly report"),
        ("Prüfung ✓ 日本", "Prüfung ✓ 日本"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\nb", "a\\nb"),
        ("wake_event\x07", "wake_event\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202ecba", "abc\\u202ecba"),
    ],
)
def test_printable_escapes_control_characters(written: str, shown: str) -> None:
    assert printable(written) == shown


def test_printable_keeps_the_characters_in_keep() -> None:
    assert printable("one\n\ttwo\r", keep="\n\t") == "one\n\ttwo\\r"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("one\n\ttwo\n", "one\n\ttwo\n"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;http://host\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP+q544e\x1b\\text", "text"),
        ("\x1bcreset", "reset"),
        ("\x9b31mred", "red"),
        ("10%\r20%\r\ndone", "10%\n20%\ndone"),
        ("wake_event\x07 back\x08 nul\x00 del\x7f", "wake_event back nul del"),
        ("\u202edesrever", "desrever"),
    ],
)
def test_plain_removes_control_sequences(written: str, shown: str) -> None:
    assert plain(written) == shown


def test_unfinished_control_string_ends_with_its_line() -> None:
    assert plain("\x1b]0;never closed\nstill here") == "\nstill here"


def test_sequence_cut_in_two_is_harmless_text() -> None:
    assert "\x1b" not in plain("red \x1b") + plain("[31m")
