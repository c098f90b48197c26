"""Checks how docstrings begin: with a verb that says what a caller gets, as Return, Build, Check or Claim."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("src", "testkit", "tests", "scripts", "benchmarks", "faultlab")
VAGUE = frozenset({"Give", "Gives", "Say", "Says", "Tell", "Tells", "Let", "Lets", "Have", "Has", "Look", "Looks"})


def main() -> int:
    """Print each docstring that begins vaguely. Return 1 if there is one."""
    found = [line for folder in FOLDERS for path in sorted(Path(folder).rglob("*.py")) for line in _vague(path)]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return int(bool(found))


def _vague(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            first = (ast.get_docstring(node) or "").split(maxsplit=1)[:1]
            if first and first[0] in VAGUE:
                line = getattr(node, "lineno", 1)
                yield f"{path}:{line}: a docstring begins with {first[0]}; write Return, Build, Check, Yield, Raise, …"


if __name__ == "__main__":
    sys.exit(main())
