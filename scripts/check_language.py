"""Checks the language of the code.

Docstrings begin with a verb that says what a caller gets, as Return, Build, Check or Claim. Names of tests have at most
60 characters. Log events are named by a noun and a past verb. Some words are replaced by clearer ones.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("src", "testkit", "tests", "scripts", "benchmarks", "faultlab")
VAGUE = frozenset({"Give", "Gives", "Say", "Says", "Tell", "Tells", "Let", "Lets", "Have", "Has", "Look", "Looks"})
TEST_NAME_LENGTH = 60
LOG_METHODS = frozenset({"debug", "info", "warning", "error", "critical", "exception"})
EVENT = re.compile(r"[a-z]+(_[a-z]+)*_([a-z]+ed|lost|sent|marked_unfit)")
REPLACED = re.compile(r"\b(whoever|doorbell|warden|errands?|anew|(?:is|are) to be had)\b", re.IGNORECASE)
THIS_FOLDER = Path("scripts")


def main() -> int:
    """Print each problem with its file and line. Return 1 if there is one."""
    found = [line for folder in FOLDERS for path in sorted(Path(folder).rglob("*.py")) for line in _problems(path)]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return int(bool(found))


def _problems(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    yield from _vague_docstrings(path, tree)
    yield from _long_test_names(path, tree)
    yield from _misnamed_events(path, tree)
    if THIS_FOLDER not in path.parents and path.name != "test_check_prose.py":
        yield from _replaced_words(path, text)


def _replaced_words(path: Path, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        if found := REPLACED.search(line):
            yield f"{path}:{number}: {found[0]!r} is not in the house language; name the noun"


def _misnamed_events(path: Path, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="log"), attr=method), args=[ast.Constant(value=str(event)), *_]
            ) if method in LOG_METHODS and path.parts[0] == "src" and not EVENT.fullmatch(event):
                yield f"{path}:{node.lineno}: the event {event!r} is not named by a noun and a past verb"


def _long_test_names(path: Path, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            length = len(node.name)
            if length > TEST_NAME_LENGTH and path.name.startswith("test_"):
                yield f"{path}:{node.lineno}: {node.name} has {length} characters; use at most {TEST_NAME_LENGTH}"


def _vague_docstrings(path: Path, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            first = (ast.get_docstring(node) or "").split(maxsplit=1)[:1]
            if first and first[0] in VAGUE:
                line = getattr(node, "lineno", 1)
                yield f"{path}:{line}: a docstring begins with {first[0]}; write Return, Build, Check, Yield, Raise, …"


if __name__ == "__main__":
    sys.exit(main())
