"""What the check of the documentation's prose reports."""

from __future__ import annotations

import pytest
from scripts.check_prose import MAX_WORDS, REPLACED, long_sentences, without_code


def test_long_sentence_is_reported_with_its_line() -> None:
    long = "word " * MAX_WORDS + "end."

    assert list(long_sentences(f"A short one.\n\n{long} Another.\n")) == [(3, MAX_WORDS + 1)]


@pytest.mark.parametrize("separator", [". ", "\n\n", "\n- ", "\n1. ", " | "])
def test_sentence_ends_with_its_paragraph_item_or_cell(separator: str) -> None:
    assert list(long_sentences(separator.join(["word " * 30] * 3))) == []


def test_code_is_cut_out_and_lines_are_kept() -> None:
    text = "See `make up` or `make up`:\n\n```sh\nwhoever\n```\n\nSee [this](docs/whoever.md).\n"

    prose = without_code(text)

    assert prose.count("\n") == text.count("\n")
    assert not REPLACED.search(prose)
    assert "code0 or code1" in prose
