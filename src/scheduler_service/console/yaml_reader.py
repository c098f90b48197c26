"""Reads YAML and JSON strictly: with the line of each value, and every problem at once.

Theory of operation. PyYAML builds a tree of nodes, which know their lines. This module converts the tree itself, and
not by PyYAML's rules: names are texts, ambiguous words are refused (see `yaml_scalars`), a name may occur once in an
object, and no tag can create anything. Aliases are values that are repeated; their number is limited, because nested
ones multiply.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import yaml

from scheduler_service.console.yaml_scalars import read_plain

Path = tuple[str | int, ...]
MAX_NODES = 50_000
"""Values of one document, repeated ones included."""
MAX_DEPTH = 64
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "<<"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong in a file: its line, from 1, the path of the value in its document, and the message."""

    line: int
    path: Path
    message: str


@dataclass(slots=True)
class Parsed:
    """One document of a file, and the lines of its values by their paths."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def read_yaml(text: str) -> list[Parsed]:
    """Return the documents of a YAML text. Empty ones are left out. Syntax that is wrong is a fault of the last."""
    found: list[Parsed] = []
    try:
        for node in _nodes(text):
            parsed = _parse(node)
            if parsed.value is not None or parsed.faults:
                found.append(parsed)
    except yaml.YAMLError as error:
        found.append(Parsed(faults=[_syntax_fault(error)]))
    return found


def read_json(text: str) -> list[Parsed]:
    """Return the document of a JSON text, which is its only one."""
    parsed = Parsed()
    try:
        parsed.value = json.loads(text)
    except json.JSONDecodeError as error:
        return [Parsed(faults=[Fault(error.lineno, (), f"is not valid JSON: {error.msg}")])]
    except (ValueError, RecursionError) as error:
        return [Parsed(faults=[Fault(1, (), f"is not valid JSON: {error}")])]
    try:
        node = next(_nodes(text), None)
    except yaml.YAMLError:  # JSON that is not YAML, such as with tabs: only the lines are missing then
        node = None
    if node is not None:
        with suppress(_TooManyNodesError):
            _Reading(parsed, is_json=True).value(node, ())
    return [parsed]


def _parse(node: yaml.Node) -> Parsed:
    parsed = Parsed()
    try:
        parsed.value = _Reading(parsed).value(node, ())
    except _TooManyNodesError:
        message = f"has more than {MAX_NODES} values; write fewer, or use fewer aliases"
        parsed.faults.append(Fault(node.start_mark.line + 1, (), message))
    return parsed


def _nodes(text: str) -> Iterator[yaml.Node]:
    loader = _LOADER(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                yield node
    finally:
        loader.dispose()


def _syntax_fault(error: yaml.YAMLError) -> Fault:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).splitlines()[0]
    return Fault(1 if mark is None else mark.line + 1, (), f"is not valid YAML: {problem}")


class _TooManyNodesError(Exception):
    """A document has too many values."""


@dataclass(slots=True)
class _Reading:
    """Converts the nodes of one document. `is_json` says that the scalars are those of JSON."""

    parsed: Parsed
    is_json: bool = False
    nodes: int = 0
    open: list[int] = field(default_factory=list)

    def value(self, node: yaml.Node, path: Path) -> Any:
        """Return the value of a node, and note its line. What is wrong is a fault, and None in its place."""
        self.nodes += 1
        self.parsed.lines.setdefault(path, node.start_mark.line + 1)
        if self.nodes > MAX_NODES:
            raise _TooManyNodesError
        if id(node) in self.open or len(path) > MAX_DEPTH:
            return self._fault(node, path, "is nested too deeply, or contains itself")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self.open.append(id(node))
        try:
            if node.tag not in _PLAIN_TAGS:
                return self._fault(node, path, f"has the tag {node.tag}; write plain YAML without tags")
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
            return self._members(node, path)
        finally:
            self.open.pop()

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text = str(node.value)
        if self.is_json:
            return text
        is_plain = not node.style  # libyaml says an empty text, PyYAML says None
        if node.tag != _RESOLVER.resolve(yaml.ScalarNode, text, (is_plain, not is_plain)):
            return self._fault(node, path, f"has the tag {node.tag}; write plain YAML without tags")
        if not is_plain:
            return text
        try:
            return read_plain(text)
        except ValueError as error:
            return self._fault(node, path, f"{text!r} {error}")

    def _members(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        members: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for name_node, value_node in node.value:
            if not isinstance(name_node, yaml.ScalarNode):
                self._fault(name_node, path, "a name must be a text")
                continue
            name = str(name_node.value)
            if name == _MERGE and not self.is_json:
                merged = self._merged(value_node, path)
                continue
            below = (*path, name)
            if name in members:
                first = self.parsed.lines[below]
                self._fault(name_node, below, f"appears twice in one object, first in line {first}; remove one")
                continue
            members[name] = self.value(value_node, below)
            self.parsed.lines[below] = name_node.start_mark.line + 1
        return {**merged, **members}

    def _merged(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        """Return the members of the objects that `<<` names; the first one that has a name wins."""
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for part in reversed(parts):
            value = self.value(part, path)
            if isinstance(value, dict):
                merged |= value
            else:
                self._fault(node, path, "<< must name an object")
        return merged

    def _fault(self, node: yaml.Node, path: Path, message: str) -> None:
        self.parsed.faults.append(Fault(node.start_mark.line + 1, path, message))


_RESOLVER = yaml.resolver.Resolver()
_PLAIN_TAGS = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
