"""Checks docstrings and names of tests.

Docstrings begin with a verb that says what a caller gets, as Return, Build, Check or Claim. Names of tests have at most
60 characters.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("src", "testkit", "tests", "scripts", "benchmarks", "faultlab")
VAGUE = frozenset({"Give", "Gives", "Say", "Says", "Tell", "Tells", "Let", "Lets", "Have", "Has", "Look", "Looks"})
TEST_NAME_LENGTH = 60


def main() -> int:
    """Print each vague docstring and each long name of a test. Return 1 if there is one."""
    found = [line for folder in FOLDERS for path in sorted(Path(folder).rglob("*.py")) for line in _problems(path)]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return int(bool(found))


def _problems(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from _vague_docstrings(path, tree)
    yield from _long_test_names(path, tree)


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
