"""Reads job files: finds them, reads their documents, and puts the text of code files into them.

A file means the same wherever it is applied: `${…}` is refused, because nothing replaces it, and a code file lies
beside its job file, within the directory that is applied.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scheduler_service.console.exit_codes import RefusedError
from scheduler_service.console.yaml_reader import Fault, Parsed, read_json, read_yaml
from scheduler_service.console.yaml_reader import Path as ValuePath
from scheduler_service.errors import FieldProblem
from scheduler_service.features.apply.code_files import insert_code
from scheduler_service.features.apply.references import MESSAGE, unescape

SUFFIXES = frozenset({".yaml", ".yml", ".json"})
STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class Source:
    """One document: its file, its number in the file from 1, the job, and the lines of its values."""

    file: str
    number: int
    document: dict[str, Any]
    lines: dict[ValuePath, int] = field(repr=False)

    def place(self, path: ValuePath, line: int | None = None) -> str:
        """Return where a value is: file, line, number of the document, and JSON pointer.

        `line` None: the line of the value, or of the nearest object around it.
        """
        if line is None:
            line = next((self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines), 1)
        pointer = "#" + "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
        return f"{self.file}:{line}: document {self.number}, {pointer}"


def read_sources(paths: Sequence[str]) -> list[Source]:
    """Return the documents of files and directories. Raise `RefusedError` with all faults of all files."""
    sources: list[Source] = []
    faults: list[FieldProblem] = []
    for path in paths:
        for file, root in _files(path):
            read, wrong = _read_file(file, root)
            sources += read
            faults += wrong
    if faults:
        raise RefusedError(*faults)
    if not sources:
        raise RefusedError(FieldProblem("", f"no job in {', '.join(paths)}; name files or directories with jobs"))
    return sources


def _files(path: str) -> Iterator[tuple[str, Path]]:
    """Yield each file, and the directory that its code files must be in."""
    if path == STANDARD_INPUT:
        yield path, Path.cwd()
        return
    named = Path(path)
    if not named.is_dir():
        yield path, named.parent
        return
    for directory, below, names in os.walk(named):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                yield str(Path(directory, name)), named


def _read_file(file: str, root: Path) -> tuple[list[Source], list[FieldProblem]]:
    try:
        text = sys.stdin.read() if file == STANDARD_INPUT else Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        return [], [FieldProblem(file, f"cannot be read: {reason}; name a readable file or directory")]
    parsed = read_json(text) if file.lower().endswith(".json") else read_yaml(text)
    sources: list[Source] = []
    problems: list[FieldProblem] = []
    for number, each in enumerate(parsed, start=1):
        for source in _jobs_of(file, number, each):
            faults = [*each.faults, *_complete(source, root)] if source.document else each.faults
            problems += [FieldProblem(source.place(fault.path, fault.line), fault.message) for fault in faults]
            each.faults = []
            sources.append(source)
    return sources, problems


def _jobs_of(file: str, number: int, parsed: Parsed) -> Iterator[Source]:
    """Yield the jobs of a document: one, or those of a list."""
    if parsed.faults and not isinstance(parsed.value, dict | list):
        yield Source(file, number, {}, parsed.lines)
    elif isinstance(parsed.value, list):
        for index, item in enumerate(parsed.value):
            below = {path[1:]: line for path, line in parsed.lines.items() if path[:1] == (index,)}
            yield _source(file, number, item, below, parsed)
    else:
        yield _source(file, number, parsed.value, parsed.lines, parsed)


def _source(file: str, number: int, value: object, lines: dict[ValuePath, int], parsed: Parsed) -> Source:
    if isinstance(value, dict):
        return Source(file, number, value, lines)
    parsed.faults.append(Fault(lines.get((), 1), (), "is not a job; write an object with name, schedule_expr, payload"))
    return Source(file, number, {}, lines)


def _complete(source: Source, root: Path) -> Iterator[Fault]:
    """Put code files into a document, and yield what is wrong with its texts."""
    for path in unescape(source.document):
        yield Fault(source.lines.get(path, 1), path, MESSAGE)
    directory = root if source.file == STANDARD_INPUT else Path(source.file).parent
    yield from insert_code(source.document, source.lines, directory, root)
