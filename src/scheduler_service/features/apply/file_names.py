"""Writes documents to standard output or as files of a directory."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scheduler_service.console import render
from scheduler_service.console.documents import refusal

_OTHER = re.compile(r"[^a-z0-9]+")
MAX_NAME_CHARACTERS = 60


def write_files(documents: Sequence[Mapping[str, Any]], output: str) -> None:
    """Write documents as one text to standard output for `-`, or as one file each to a directory.

    Raise `RefusedError` if a file exists already or cannot be written.
    """
    from scheduler_service.console.yaml_writer import write_documents  # noqa: PLC0415 (slow, and for few commands)

    if output == "-":
        sys.stdout.write(write_documents(documents))
        return
    directory = Path(output)
    names = list(file_names(documents))
    if existing := [name for name in names if (directory / name).exists()]:
        raise refusal("--output", f"{directory / existing[0]} exists already; name an empty directory")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, document in zip(names, documents, strict=True):
            (directory / name).write_text(write_documents([document]), encoding="utf-8")
    except OSError as error:
        raise refusal("--output", f"cannot write in {output}: {error.strerror}; name another directory") from None
    render.note(f"Wrote {len(names)} files to {output}.")


def file_names(documents: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a file name for each document, of its key or its name. No two are the same."""
    used: set[str] = set()
    for document in documents:
        text = str(document.get("external_key") or document["name"]).lower()
        stem = name = _OTHER.sub("-", text).strip("-")[:MAX_NAME_CHARACTERS].strip("-") or "job"
        number = 1
        while name in used:
            number += 1
            name = f"{stem}-{number}"
        used.add(name)
        yield f"{name}.yaml"
