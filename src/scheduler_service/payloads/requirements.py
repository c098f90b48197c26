"""Requirements of Python code: entries such as `pandas>=3`, and the header in the code that PEP 723 defines.

A requirement names a package of the operator's index, nothing else. A URL, a path or an option could bring in code that
no index and no hash of an index vouches for.
"""

from __future__ import annotations

import platform
import tomllib
from typing import Annotated, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from pydantic import AfterValidator, Field

from scheduler_service.payloads.stored_text import Text

MAX_REQUIREMENTS = 100
_MAX_CHARACTERS = 200
_FORM = "write a package of the index, such as pandas or pandas>=3"
_OPENING, _CLOSING = "# /// script", "# ///"
_KNOWN_KEYS = frozenset({"dependencies", "requires-python", "tool"})


def check_requirement(text: str) -> str:
    """Return a requirement without spaces around it. Raise ValueError if it is not the name of a package of the index.

    Extras, versions and markers are allowed.
    """
    text = text.strip()
    if text.startswith("-"):
        raise ValueError(f"{text!r} is an option; {_FORM}")
    if "\n" in text or "\r" in text:
        raise ValueError(f"{text!r} has more than one line; write each requirement by itself")
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        kind = "a path or an address" if "/" in text or "\\" in text else "not a requirement"
        raise ValueError(f"{text!r} is {kind}; {_FORM}") from None
    if requirement.url is not None:
        raise ValueError(f"{text!r} is an address; {_FORM}")
    return text


RequirementText = Annotated[Text, Field(max_length=_MAX_CHARACTERS), AfterValidator(check_requirement)]


def script_requirements(code: str) -> tuple[str, ...]:
    """Return the dependencies in the PEP 723 header of a script, none without a header.

    Raise ValueError if the header is wrong, or asks for another Python or another index.
    """
    header = _find_header(code)
    if header is None:
        return ()
    try:
        metadata = tomllib.loads(header)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"the header # /// script is not TOML: {error}") from None
    if unknown := sorted(metadata.keys() - _KNOWN_KEYS):
        raise ValueError(f"the header # /// script has the unknown key {unknown[0]!r}; known: dependencies")
    _check_python(metadata.get("requires-python", ""))
    _check_tools(metadata.get("tool", {}))
    return _check_dependencies(metadata.get("dependencies", []))


def _check_dependencies(dependencies: object) -> tuple[str, ...]:
    if not isinstance(dependencies, list) or not all(isinstance(each, str) for each in dependencies):
        raise ValueError('dependencies of the header # /// script is not a list of texts; write ["pandas>=3"]')
    if len(dependencies) > MAX_REQUIREMENTS:
        raise ValueError(f"the header # /// script has more than {MAX_REQUIREMENTS} dependencies")
    if long := next((each for each in dependencies if len(each) > _MAX_CHARACTERS), None):
        raise ValueError(f"{long[:20]!r}… in the header has more than {_MAX_CHARACTERS} characters")
    return tuple(map(check_requirement, dependencies))


def _find_header(code: str) -> str | None:
    """Return the TOML of the only block of type `script`. Raise ValueError if there are two.

    As PEP 723 says, a block is a run of comment lines, and its last line `# ///` closes it. An open block is none.
    """
    lines = [line.rstrip("\r") for line in code.split("\n")]
    found: list[str] = []
    start = 0
    while start < len(lines):
        if lines[start].rstrip() != _OPENING:
            start += 1
            continue
        end = start + 1
        while end < len(lines) and (lines[end] == "#" or lines[end].startswith("# ")):
            end += 1
        content = lines[start + 1 : end]
        if _CLOSING in content:
            last = len(content) - 1 - content[::-1].index(_CLOSING)
            found.append("\n".join(line[2:] for line in content[:last]))
        start = end
    if len(found) > 1:
        raise ValueError("the code has two headers # /// script; write one")
    return found[0] if found else None


def _check_python(wanted: Any) -> None:
    try:
        fits = SpecifierSet(wanted).contains(platform.python_version(), prereleases=True)
    except (InvalidSpecifier, TypeError, AttributeError):
        raise ValueError(f'requires-python {wanted!r} is not a version range; write one such as ">=3.11"') from None
    if not fits:
        raise ValueError(f"requires-python is {wanted!r}, and jobs run on Python {platform.python_version()}")


def _check_tools(tools: Any) -> None:
    """Refuse settings of uv: they choose indexes and sources, and here the operator chooses them."""
    if isinstance(tools, dict) and "uv" in tools:
        raise ValueError("[tool.uv] in the header # /// script is not supported: the operator chooses the index")
