"""Requirements of Python code, in the payload or in a PEP 723 header."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from scheduler_service.payloads import registry

HEADER = "# /// script\n# dependencies = [\n#   'pandas>=3',\n#   'requests',\n# ]\n# ///\nprint(1)\n"


def packages(code: str = "print(1)", **fields: Any) -> tuple[str, ...]:
    document = {"type": "python_code", "code": code, **fields}
    return registry.adapter().validate_python(document).packages()


def test_code_without_requirements_has_no_packages() -> None:
    assert packages() == ()


@pytest.mark.parametrize(
    "text", ["pandas", "pandas>=3,<4", "httpx[http2]>=1", 'tomli; python_version < "3.11"', "A.b_c"]
)
def test_packages_of_the_index_are_accepted(text: str) -> None:
    assert packages(requirements=[text]) == (text,)


@pytest.mark.parametrize(
    "text",
    [
        "pandas @ https://example.org/pandas.whl",
        "https://example.org/pandas-3-py3-none-any.whl",
        "git+https://example.org/pandas.git",
        "pandas @ file:///etc/passwd",
        "./pandas",
        "../../etc/passwd",
        "/opt/wheels/pandas.whl",
        "C:\\pandas.whl",
        "-e .",
        "-r requirements.txt",
        "--index-url=https://example.org/simple",
        "pandas --hash=sha256:00",
        "pandas\n--extra-index-url=https://example.org/simple",
        "pandas\r-r x",
        "",
        "two words",
        "p\u0430ndas!",
    ],
)
def test_anything_but_a_package_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="write "):
        packages(requirements=[text])


def test_header_of_the_code_names_packages() -> None:
    assert packages(HEADER) == ("pandas>=3", "requests")
    assert packages(HEADER.replace("\n", "\r\n")) == ("pandas>=3", "requests")


def test_header_needs_no_dependencies() -> None:
    assert packages("# /// script\n# requires-python = '>=3.11'\n# ///\n") == ()


def test_block_ends_at_its_last_closing_line() -> None:
    with pytest.raises(ValidationError, match="not TOML"):
        packages("# /// script\n# dependencies = ['a']\n# ///\n# more\n# ///\n")


@pytest.mark.parametrize(
    "code",
    [
        "# /// script\n# dependencies = ['pandas']\nprint(1)\n",
        "# /// script\n# dependencies = ['pandas']\n\n# ///\n",
        "# /// other\n# dependencies = ['pandas']\n# ///\n",
        "    # /// script\n    # dependencies = ['pandas']\n    # ///\n",
    ],
)
def test_other_comments_are_no_header(code: str) -> None:
    assert packages(f"{code}pass\n" if code[0] == "#" else f"if True:\n{code}    pass\n") == ()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (HEADER + HEADER, "two headers"),
        ("# /// script\n# dependencies = [\n# ///\n", "not TOML"),
        ("# /// script\n# dependencies = 'pandas'\n# ///\n", "not a list"),
        ("# /// script\n# requirements = ['pandas']\n# ///\n", "unknown key 'requirements'"),
        ("# /// script\n# dependencies = ['a @ https://example.org/a.whl']\n# ///\n", "is an address"),
        ("# /// script\n# requires-python = '>=99'\n# ///\n", "jobs run on Python"),
        ("# /// script\n# requires-python = 3\n# ///\n", "not a version range"),
        ("# /// script\n# [[tool.uv.index]]\n# url = 'https://example.org'\n# ///\n", "operator chooses the index"),
    ],
)
def test_wrong_header_is_refused(code: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        packages(code)


def test_requirements_in_both_places_are_refused() -> None:
    with pytest.raises(ValidationError, match="write them once"):
        packages(HEADER, requirements=["pandas"])


@pytest.mark.parametrize("fields", [{"requirements": ["pandas"]}, {"code": HEADER}])
def test_requirements_with_another_environment_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="leave one of them out"):
        packages(**fields, environment="science")
