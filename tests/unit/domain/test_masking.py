"""The masking of secrets in text: independent of where it is cut, and bounded in what it holds back."""

from __future__ import annotations

import base64
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_service.domain.masking import Masker
from scheduler_service.domain.secret_forms import MIN_BYTES, forms_of

SLOW = settings(max_examples=40, deadline=None)


def is_long(text: str) -> bool:
    return len(text.strip()) >= MIN_BYTES


# Few characters, so that secrets overlap with themselves and with each other.
VALUES = st.lists(st.text("ab\n'", min_size=6, max_size=12).filter(is_long), max_size=3)
CUTS = st.lists(st.integers(0, 200), max_size=6)


@st.composite
def texts_with_secrets(draw: st.DrawFn) -> tuple[list[str], bytes]:
    values = draw(VALUES)
    forms = sorted({form for value in values for form in forms_of(value)})
    part = st.text("ab'\n ü", max_size=10).map(str.encode)
    parts = st.lists(st.one_of(part, st.sampled_from(forms)) if forms else part, max_size=8)
    return values, b"".join(draw(parts))


def in_pieces(masker: Masker, text: bytes, cuts: list[int]) -> bytes:
    stream, edges = masker.stream(), [0, *sorted(cuts), len(text)]
    pieces = [stream.take(text[start:end]) for start, end in pairwise(edges)]
    return b"".join(pieces) + stream.finish()


@settings(deadline=None)
@given(texts_with_secrets(), CUTS)
def test_mask_does_not_depend_on_where_the_text_is_cut(given_text: tuple[list[str], bytes], cuts: list[int]) -> None:
    values, text = given_text
    masker = Masker(values)
    assert in_pieces(masker, text, cuts) == in_pieces(masker, text, [])


@settings(deadline=None)
@given(texts_with_secrets(), CUTS)
def test_no_form_of_a_secret_is_left(given_text: tuple[list[str], bytes], cuts: list[int]) -> None:
    values, text = given_text
    masked = in_pieces(Masker(values), text, cuts)
    assert not [form for value in values for form in forms_of(value) if form in masked]


@settings(deadline=None)
@given(texts_with_secrets(), CUTS)
def test_stream_holds_back_less_than_the_longest_form(given_text: tuple[list[str], bytes], cuts: list[int]) -> None:
    values, text = given_text
    longest = max((len(form) for value in values for form in forms_of(value)), default=1)
    stream, edges = Masker(values).stream(), [0, *sorted(cuts), len(text)]
    for start, end in pairwise(edges):
        stream.take(text[start:end])
        assert len(stream._held) <= longest - 1


@SLOW
@given(st.text(max_size=100))
def test_text_without_secrets_is_unchanged(text: str) -> None:
    assert Masker(["not in any text 0815"]).text(text) == text


def test_text_that_cannot_be_part_of_a_secret_is_not_held_back() -> None:
    stream = Masker(["correct horse"]).stream()
    assert stream.take(b"the password is ") == b"the password is "
    assert stream.take(b"corr") == b""
    assert stream.take(b"upt\n") == b"corrupt\n"


@pytest.mark.parametrize(
    ("values", "text", "masked"),
    [
        (["abcdef", "abcdefghi"], "abcdefghi", "***"),
        (["abcdef", "abcdefghi"], "abcdefghx", "***ghx"),
        (["abcdef", "defghi"], "abcdefghi", "***ghi"),
        (["abcabc"], "abcabcabc", "***abc"),
        (["two lines\nof a key"], "  two lines\n  of a key\n", "  ***\n  ***\n"),
        (["two lines\nof a key"], "two lines\r\nof a key", "***"),
        ([" padded "], "(padded)", "(***)"),
        ([], "anything", "anything"),
    ],
)
def test_leftmost_and_longest_form_is_masked(values: list[str], text: str, masked: str) -> None:
    assert Masker(values).text(text) == masked


@SLOW
@given(st.binary(max_size=5), st.text(min_size=6, max_size=30).filter(is_long), st.binary(max_size=5))
def test_base64_of_a_longer_text_reveals_only_edges(before: bytes, value: str, after: bytes) -> None:
    whole = base64.b64encode(before + value.encode() + after)
    masked = Masker([value]).text(whole.decode())
    assert "***" in masked
    # The characters before and behind the mask belong to other bytes too, and to at most one byte of the secret.
    assert len(masked) - 3 <= -(-len(before) // 3) * 4 + -(-(len(after) + 2) // 3) * 4


def test_wrapped_base64_is_masked() -> None:
    value = "a private key " * 21
    assert Masker([value]).text(base64.encodebytes(value.encode()).decode()) == "***\n"


@pytest.mark.parametrize("unit", [b"a", b"ab", b"a" * 50 + b"b"])
def test_hostile_text_takes_time_in_proportion(unit: bytes) -> None:
    value = (unit * 70_000)[:65_000]
    stream = Masker([value.decode() + "!"]).stream()
    for _ in range(4):
        assert isinstance(stream.take(value), bytes)


def test_many_secrets_do_not_slow_short_texts_down() -> None:
    lines = [f"{owner}-{line}-'/\"-{line * 7919}" for owner in range(16) for line in range(200)]
    masker = Masker("\n".join(lines[at : at + 200]) for at in range(0, len(lines), 200))
    stream = masker.stream()
    assert [stream.take(b"a line\n") for _ in range(10_000)]
    assert masker.value([*range(10_000), lines[7]]) == [*range(10_000), "***"]


def test_forms_have_a_least_length() -> None:
    assert all(len(form) >= MIN_BYTES for form in forms_of("ab\ncd\nef\ngh"))


def test_stream_without_secrets_passes_everything() -> None:
    stream = Masker().stream()
    assert stream.take(b"\xff\x00") + stream.finish() == b"\xff\x00"
