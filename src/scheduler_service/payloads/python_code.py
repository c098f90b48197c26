"""Payloads of Python source code."""

from __future__ import annotations

import ast
import warnings
from contextlib import suppress
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from scheduler_service.payloads.base import Payload
from scheduler_service.payloads.command_text import Source
from scheduler_service.payloads.line_endings import BYTE_ORDER_MARK
from scheduler_service.payloads.requirements import MAX_REQUIREMENTS, RequirementText, script_requirements
from scheduler_service.payloads.text_pattern import TextPattern
from scheduler_service.sandbox.contract.environment import DEFAULT_NAME
from scheduler_service.sandbox.contract.spec import PythonCode

# Parsing can take time and memory quadratic in the length: 256 KiB of `import a.a.a…` take a minute and 18 GB. At this
# length, the worst case found takes 0.25 s and 100 MB.
CHECKED_BYTES = 16 * 1024
# Compiling finds errors that the parser accepts, such as `return` outside a function. It takes as long as parsing,
# except with nested `finally` blocks. Up to this number of nodes it takes at most 0.1 s.
MAX_NODES = 200_000


def _without_mark(code: object) -> object:
    return code.removeprefix(BYTE_ORDER_MARK) if isinstance(code, str) else code


class PythonCodePayload(Payload):
    """Python source, run as `__main__`. numpy can be imported, and pandas where it is installed.

    With requirements, the code sees the packages that they resolve to and the standard library, and no others.

    A syntax error is refused with its line when the job is created, if the code is at most 16 KiB long and meant for
    the default environment. In longer code, or for an interpreter that may know another grammar, the run reports it.
    """

    model_config = ConfigDict(
        title="Python code",
        json_schema_extra={"examples": [{"type": "python_code", "code": "import numpy as np\nprint(np.pi)"}]},
    )

    type: Annotated[Literal["python_code"], Field(description="Selects this kind of payload.")]
    environment: Annotated[
        str,
        TextPattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "a name of up to 64 letters, digits and . _ -"),
        Field(description="The name of one of the Python environments that the operator offers."),
    ] = DEFAULT_NAME
    requirements: Annotated[
        tuple[RequirementText, ...],
        Field(
            max_length=MAX_REQUIREMENTS,
            description="Packages that the code imports, such as `pandas>=3`, up to 100. A PEP 723 header in the code "
            "says the same. They are locked when the job is stored. Default: none.",
        ),
    ] = ()
    code: Annotated[Source, Field(description="The source, at most 256 KiB."), BeforeValidator(_without_mark)]

    @field_validator("code")
    @classmethod
    def _refuse_syntax_errors(cls, code: str, info: ValidationInfo) -> str:
        if info.data.get("environment") == DEFAULT_NAME and len(code.encode()) <= CHECKED_BYTES:
            _parse(code)
        return code

    @field_validator("requirements")
    @classmethod
    def _need_the_default_environment(cls, requirements: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        _check_environment(requirements, info)
        return requirements

    @field_validator("code")
    @classmethod
    def _check_header(cls, code: str, info: ValidationInfo) -> str:
        in_header = script_requirements(code)
        _check_environment(in_header, info)
        if in_header and info.data.get("requirements"):
            raise ValueError("requirements stand in the payload and in the header # /// script; write them once")
        return code

    def packages(self) -> tuple[str, ...]:
        """Return the requirements of the payload, or those in the header of the code."""
        return self.requirements or script_requirements(self.code)

    def command(self) -> PythonCode:
        """Return the code with its environment."""
        return PythonCode(self.code, self.environment)


def _check_environment(requirements: tuple[str, ...], info: ValidationInfo) -> None:
    if requirements and info.data.get("environment", DEFAULT_NAME) != DEFAULT_NAME:
        raise ValueError("requirements cannot be combined with an environment of the operator; leave one of them out")


def _parse(code: str) -> None:
    """Raise ValueError for a syntax error.

    Code that exceeds the parser's limits passes, and its run reports the error.
    """
    with warnings.catch_warnings(), suppress(MemoryError, RecursionError):
        warnings.simplefilter("ignore")  # about invalid escapes in the user's code
        try:
            tree = ast.parse(code)
            if "finally" not in code or _nodes_to_compile(tree) <= MAX_NODES:
                compile(tree, "<job>", "exec", dont_inherit=True)
        except SyntaxError as error:
            raise ValueError(f"syntax error in line {error.lineno}: {error.msg}") from None


def _nodes_to_compile(tree: ast.AST) -> int:
    """Return an upper limit for the nodes that the compiler visits. The code is not executed.

    The compiler copies a `finally` block to every exit of its `try`, also for each enclosing block.
    """
    nodes = jumps = deepest = 0
    waiting = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        nodes += 1
        jumps += isinstance(node, _JUMPS)
        depth += bool(getattr(node, "finalbody", None))
        deepest = max(deepest, depth)
        waiting += ((child, depth) for child in ast.iter_child_nodes(node))
    return int(nodes * (2 + jumps) ** deepest)


_JUMPS = (ast.Return, ast.Break, ast.Continue)
