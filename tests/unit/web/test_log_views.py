"""Logs as lines of pieces: colours, carriage returns, and nothing that speaks to a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scheduler_service.domain.records import Attempt
from scheduler_service.domain.run_state import RunStatus
from scheduler_service.web.views.ansi import Style, pieces_of
from scheduler_service.web.views.log import log_lines


def shown(line: str) -> str:
    return "".join(text for text, _ in pieces_of(line, Style())[0])


def test_colours_and_styles_become_classes() -> None:
    pieces, _ = pieces_of("plain \x1b[1;31mred\x1b[0m \x1b[92mgreen\x1b[39;4m line\x1b[m", Style())
    assert pieces == (("plain ", ""), ("red", "c1 cb"), (" ", ""), ("green", "c10"), (" line", "cu"))


def test_style_lasts_to_the_next_line() -> None:
    _, style = pieces_of("\x1b[33mwarning", Style())
    assert pieces_of("more", style)[0] == (("more", "c3"),)


@pytest.mark.parametrize(
    "parameters", ["38;2;1;2;3", "38;5;200", "48;5;1", "38", "38;5", "999", ";;;", "4:3", "9" * 5000]
)
def test_other_colours_have_no_class(parameters: str) -> None:
    assert shown(f"\x1b[{parameters}mtext") == "text"


def test_named_colour_of_the_palette_has_a_class() -> None:
    assert pieces_of("\x1b[38;5;9mtext", Style())[0] == (("text", "c9"),)


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b]0;title\x07",
        "\x1b]8;;javascript:alert(1)\x1b\\",
        "\x1b]52;c;ZXZpbA==\x07",
        "\x1b[2J",
        "\x1b[1A",
        "\x1b[?1049h",
        "\x1bP1$r\x1b\\",
        "\x1bc",
        "\x1b(B",
        "\x00\x08\x7f\x9b",
    ],
)
def test_sequences_for_a_terminal_are_dropped(sequence: str) -> None:
    assert shown(f"before{sequence} after") == "before after"


def test_unfinished_sequence_hides_nothing_but_itself() -> None:
    assert shown("text\x1b") == "text"
    assert shown("text\x1b[31") == "text"
    assert shown("text\x1b]0;title without an end") == "text"


def test_carriage_return_keeps_what_was_written_last() -> None:
    assert shown("10 %\r50 %\r100 %") == "100 %"
    assert shown("windows line\r") == "windows line"
    assert pieces_of("\x1b[31mold\rnew", Style())[0] == (("new", "c1"),)


def test_attempt_begins_at_its_position_not_at_a_marker() -> None:
    first, second = b"one\n", b"--- attempt 9 ---\ntwo\n"
    lines = log_lines(first + second, 1, 0, [_attempt(1, 0), _attempt(2, len(first))])
    assert [(line.number, line.attempt) for line in lines] == [(1, 1), (2, 2), (3, None)]


def test_attempts_of_a_later_part_are_found_by_offset() -> None:
    lines = log_lines(b"b\nc", 2, 2, [_attempt(1, 0), _attempt(2, 4)])
    assert [(line.number, line.attempt) for line in lines] == [(2, None), (3, 2)]


def test_line_of_the_service_becomes_the_heading_of_its_attempt() -> None:
    """The first attempt ended within a line, which the service has ended."""
    first, second = b"--- attempt 2 ---\none", b"\n--- attempt 2 ---\ntwo\n"
    lines = log_lines(first + second, 1, 0, [_attempt(1, 0), _attempt(2, len(first))])
    assert [(line.attempt, line.is_heading) for line in lines] == [(1, False), (None, False), (2, True), (None, False)]


def test_only_a_line_feed_ends_a_line() -> None:
    lines = log_lines("a\u2028b\x0bc\n\nd".encode(), 1, 0, [])
    assert [line.number for line in lines] == [1, 2, 3]


def _attempt(number: int, offset: int) -> Attempt:
    return Attempt(
        run_id=1,
        attempt=number,
        log_offset=offset,
        worker_id="w",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        finished_at=None,
        status=RunStatus.RUNNING,
        reason=None,
        message=None,
        exit_code=None,
        signal=None,
        isolation=None,
        usage=None,
    )
