"""Payloads that run a program of the host."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from scheduler_service.payloads.base import Payload
from scheduler_service.payloads.command_text import Stdin
from scheduler_service.payloads.stored_text import Text
from scheduler_service.sandbox.contract.spec import Program

# Linux limits a single argument to this size (MAX_ARG_STRLEN, execve(2)). The same limit applies here to the whole
# argv.
MAX_ARGV_BYTES = 128 * 1024


def _name_a_program(argv: list[str]) -> list[str]:
    if not argv[0].strip():
        raise ValueError("the first item must name the program; it is blank")
    return argv


def _fit_into_execve(argv: list[str]) -> list[str]:
    size = sum(len(argument.encode()) + 1 for argument in argv)
    if size > MAX_ARGV_BYTES:
        raise ValueError(f"takes {size} bytes, and the limit is {MAX_ARGV_BYTES} (128 KiB); send large input as stdin")
    return argv


class ProgramPayload(Payload):
    """Any program that the host allows, by its argument vector: no shell takes part, nothing is expanded."""

    model_config = ConfigDict(
        title="Program",
        json_schema_extra={"examples": [{"type": "program", "argv": ["sort", "--unique"], "stdin": "b\na\nb\n"}]},
    )

    type: Annotated[Literal["program"], Field(description="Selects this kind of payload.")]
    argv: Annotated[
        list[Text],
        Field(
            min_length=1,
            max_length=1024,
            description="The program, looked up on the job's PATH, and its arguments: at most 128 KiB together.",
        ),
        AfterValidator(_name_a_program),
        AfterValidator(_fit_into_execve),
    ]
    stdin: Annotated[Stdin, Field(description="What the program reads from standard input, at most 256 KiB.")] = ""

    def command(self) -> Program:
        """Return the program with its arguments and `stdin`."""
        return Program(tuple(self.argv), self.stdin.encode())
