"""Statements are kept up to a number."""

from __future__ import annotations

from scheduler_service.storage.kept_statements import MAX_KEPT, KeptStatements


def test_statements_are_built_once_until_there_are_too_many() -> None:
    kept: KeptStatements[int] = KeptStatements()
    built: list[int] = []

    def find(key: int) -> int:
        return kept.find(key, lambda: built.append(key) or key)  # type: ignore[func-returns-value]

    assert [find(key) for key in (1, 2, 1)] == [1, 2, 1]
    assert built == [1, 2]
    for key in range(3, MAX_KEPT + 2):
        find(key)
    find(1)
    assert built.count(1) == 2
