"""The files of a job, as clients write them."""

from __future__ import annotations

import binascii
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticKnownError

from scheduler_service.domain.job_files import (
    MAX_BYTES,
    MAX_FILE_BYTES,
    MAX_FILES,
    content_of,
    fault_of_name,
    find_directory_conflict,
)
from scheduler_service.payloads.stored_text import Storable

Encoding = Literal["text", "base64"]
"""How the content of a file is written."""


def _check_name(name: str) -> str:
    if fault := fault_of_name(name):
        raise ValueError(fault)
    return name


def _check_forms(file: object) -> object:
    """Return the file. Raise `ValueError` for both forms, which a merge patch of the other form leaves."""
    if isinstance(file, dict) and file.keys() == {"text", "base64"}:
        raise ValueError("write either text or base64; in a patch, null removes the other one")
    return file


def _check_content(file: dict[Encoding, str]) -> dict[Encoding, str]:
    try:
        size = len(content_of(file))
    except binascii.Error as error:
        raise ValueError(f"is not base64: {str(error).lower()}; encode the bytes of the file") from error
    except ValueError as error:
        raise ValueError("is not base64: it has characters that are not ASCII; encode the bytes of the file") from error
    if size > MAX_FILE_BYTES:
        raise ValueError(f"has {size} bytes, and the limit is {MAX_FILE_BYTES}; make the file smaller")
    return file


def _check_number(files: object) -> object:
    """Return the files. Raise an error if there are too many, before each is checked."""
    if isinstance(files, dict) and len(files) > MAX_FILES:
        context = {"field_type": "Dictionary", "max_length": MAX_FILES, "actual_length": len(files)}
        raise PydanticKnownError("too_long", context)
    return files


def _check_all(files: dict[str, dict[Encoding, str]]) -> dict[str, dict[Encoding, str]]:
    if conflict := find_directory_conflict(files):
        raise ValueError(f"{conflict[0]!r} cannot be a file and the directory of {conflict[1]!r}; rename one of them")
    if (size := sum(len(content_of(file)) for file in files.values())) > MAX_BYTES:
        raise ValueError(f"take {size} bytes together, and the limit is {MAX_BYTES}; make them smaller")
    return files


FileName = Annotated[str, StringConstraints(min_length=1, max_length=255), Storable, AfterValidator(_check_name)]
FileContent = Annotated[
    dict[Encoding, Annotated[str, Storable]],
    Field(min_length=1, max_length=1),
    AfterValidator(_check_content),
    BeforeValidator(_check_forms),
]
JobFiles = Annotated[
    dict[FileName, FileContent],
    Field(max_length=MAX_FILES),
    AfterValidator(_check_all),
    BeforeValidator(_check_number),
]
