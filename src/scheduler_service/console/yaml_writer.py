"""Writes documents as YAML that `console/yaml_reader.py` reads back as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from scheduler_service.console.yaml_scalars import is_text

_WIDTH = 120
_OTHER_LINE_ENDS = "\r\x85\u2028\u2029"


class _Dumper(yaml.SafeDumper):  # type: ignore[misc] # PyYAML has no types
    """Writes texts of several lines as blocks, and in quotes what could be read as something else."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002
        """Indent lists within objects, as people do."""
        super().increase_indent(flow, False)  # noqa: FBT003 (the signature of PyYAML)

    def ignore_aliases(self, _data: Any) -> bool:
        """Repeat equal values, because an alias is harder to edit."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    has_odd_end = any(character in text for character in _OTHER_LINE_ENDS)  # YAML reads these as ends of lines
    style = '"' if has_odd_end else "|" if "\n" in text else None if is_text(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_multi_representer(dict, yaml.SafeDumper.represent_dict)  # also subclasses, such as answers of the API


def write_documents(documents: Sequence[Mapping[str, Any]], heading: str = "") -> str:
    """Return the documents as one YAML text. `heading` are lines of comments above each."""
    return "---\n".join(heading + _write(document) for document in documents)


def _write(document: Mapping[str, Any]) -> str:
    written: str = yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return written
