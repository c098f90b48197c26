"""Checks the prose of the documentation: length of sentences, words that the house language replaces, and proselint.

Code is cut out first. The exceptions and their reasons are in pyproject.toml, section tool.check_prose.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from proselint.checks import __register__
from proselint.config import DEFAULT
from proselint.registry import CheckRegistry
from proselint.tools import LintFile

DOCUMENTS = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md")
MAX_WORDS = 40
REPLACED = re.compile(
    r"\b(whoever|whatever|dead man|doorbell|warden|errands?|is to be had|are to be had|that there (?:is|are)|"
    r"no such|once more|anew|in good order|at the most)\b",
    re.IGNORECASE,
)
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`[^`]+`")
_LINK = re.compile(r"\]\([^)\s]+\)|<https?://[^>]+>|https?://\S+")
# A sentence ends with its full stop, or with its paragraph, list item, table cell or heading.
_SENTENCE_END = re.compile(r"[.!?:;](?=\s)|\n\s*\n|\n\s*(?:[-*|#]|\d+\.)|\|")


def main() -> int:
    """Print each problem with its file and line. Return 1 if there is one."""
    settings = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["check_prose"]
    paths = [path for pattern in DOCUMENTS for path in sorted(Path().glob(pattern))]
    found = [f"{path}:{problem}" for path in paths for problem in _problems(path, settings)]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return int(bool(found))


def without_code(text: str) -> str:
    """Return a Markdown text in which different words stand for code, on the same lines, and addresses are removed."""
    names = (f"code{number}" for number in count())
    text = _FENCED.sub(lambda match: "\n" * match[0].count("\n"), text)
    return _LINK.sub("]", _INLINE.sub(lambda match: next(names) + "\n" * match[0].count("\n"), text))


def long_sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield the line and the number of words of each sentence of more than `MAX_WORDS` words."""
    start = 0
    for end in [*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]:
        sentence = text[start:end]
        words = len(re.findall(r"[\w'/-]+", sentence))
        if words > MAX_WORDS:
            leading = len(sentence) - len(sentence.lstrip())
            yield text.count("\n", 0, start + leading) + 1, words
        start = end


def _problems(path: Path, settings: Mapping[str, Any]) -> Iterator[str]:
    text = without_code(path.read_text(encoding="utf-8"))
    for line, words in long_sentences(text):
        yield f"{line}: a sentence of {words} words; write at most {MAX_WORDS}"
    for match in REPLACED.finditer(text):
        yield f"{text.count(chr(10), 0, match.start()) + 1}: {match[0]!r} is not in the house language; name the noun"
    yield from _proselint(path, text, settings)


def _proselint(path: Path, text: str, settings: Mapping[str, Any]) -> Iterator[str]:
    registry = CheckRegistry()
    if not registry.checks:
        registry.register_many(__register__)
    # The first key that matches a check decides, so exceptions stand before the defaults.
    checks = dict.fromkeys(settings["proselint_disabled"], False)
    checks |= {name: is_on for name, is_on in DEFAULT["checks"].items() if name not in checks}
    for result in LintFile(path, text).lint({"max_errors": DEFAULT["max_errors"], "checks": checks}):
        yield f"{result.pos[0]}: {result.check_result.message} ({result.check_result.check_path})"


if __name__ == "__main__":
    sys.exit(main())
