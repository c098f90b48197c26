"""The guides: each is shown, its links lead somewhere, and pages lead to it."""

from __future__ import annotations

import re
import tomllib
from html import unescape
from pathlib import Path

import pytest
from tests.web.conftest import SHARED, Browser

from scheduler_service.web import navigation
from scheduler_service.web.guides import DECISIONS, GROUPS, URL, Guide, files, picture, read_guide, search, with_links
from scheduler_service.web.rendering import TEMPLATES

ROOT = Path(__file__).parents[2]
OUTSIDE = ("http://", "https://", "mailto:")


def guide(name: str) -> Guide:
    found = read_guide(name)
    assert found is not None, f"no guide {name}"
    return found


def leads_somewhere(address: str, page: Guide) -> bool:
    """Return whether a link of a page leads to a guide, a heading or a picture that exists."""
    if address.startswith(OUTSIDE):
        return True
    path, _, anchor = address.partition("#")
    if path.startswith(f"{URL}/images/"):
        return picture(path.rpartition("/")[2]) is not None
    if path == URL:
        return anchor in {"", DECISIONS}
    target = page if not path else read_guide(path.removeprefix(f"{URL}/"))
    return target is not None and (not anchor or anchor in {each.anchor for each in target.headings})


@pytest.mark.parametrize("name", sorted(files()))
def test_guide_has_no_broken_link(name: str) -> None:
    shown = guide(name)
    found = re.findall(r'(?:href|src)="([^"]*)"', shown.html)
    assert [address for address in map(unescape, found) if not leads_somewhere(address, shown)] == []


@pytest.mark.parametrize("name", sorted(files()))
def test_guide_keeps_every_link_of_its_file(name: str) -> None:
    """A link to a file that is not among the guides would silently become text."""
    written = (ROOT / files()[name]).read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", written, flags=re.DOTALL)
    assert len(re.findall(r"\]\([^)\s]+\)|<http", prose)) == len(re.findall(r"<(?:a href|img)", guide(name).html))


def test_every_guide_is_in_one_group() -> None:
    named = [name for names in GROUPS.values() for name in names]
    assert sorted(named) == sorted(name for name in files() if not name.startswith(DECISIONS))


def test_pages_name_guides_and_headings_that_exist() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in TEMPLATES.rglob("*.html"))
    calls = " ".join(re.findall(r"(?:guide_link|guides_of)\((\([^)]*\)|[^,)]*)", sources))
    named = {*re.findall(r'"([a-z#_-]+)"', calls), *navigation.GUIDES.values()}
    assert len(named) > 10
    assert [name for name in sorted(named) if not leads_somewhere(f"{URL}/{name}", guide("api"))] == []


def test_guides_carry_no_styles_and_no_html_of_their_own() -> None:
    assert [name for name in files() if "style=" in guide(name).html] == []
    assert with_links("<b> see docs/grants.md") == f'&lt;b&gt; see <a href="{URL}/grants">docs/grants.md</a>'


def test_search_puts_titles_before_headings() -> None:
    assert search("grants", 5)[0] == ("Grants", "", f"{URL}/grants")
    assert ("Ownership", "Grants", f"{URL}/grants#ownership") in search("ownership", 5)


@pytest.mark.parametrize("path", ["SECURITY.md", "CONTRIBUTING.md", "docs"])
def test_wheel_and_image_contain_the_guides(path: str) -> None:
    built = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    assert built["targets"]["wheel"]["force-include"][path] == f"scheduler_service/guides/{path}"
    copied = [
        line for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if line.startswith("COPY")
    ]
    assert sum(path in line.split() for line in copied) == 2, "for the build of the wheel, and beside the sources"
    assert f"!{path}" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


@SHARED
async def test_pages_of_the_guides_are_found_and_shown(browser: Browser) -> None:
    assert f'href="{URL}/chains"' in (await browser.open("/ui/docs")).text
    assert 'id="one-of-several-or-all"' in (await browser.open("/ui/docs/chains")).text
    assert f'href="{URL}/chains#one-of-several-or-all"' in (await browser.open("/ui/jump?q=several+or+all")).text
    assert (await browser.open("/ui/docs/images/run-light.png")).headers["content-type"] == "image/png"
    for missing in ("nothing", "images/none.png", "images/..%2F..%2F..%2Fpyproject.toml", "..%2FREADME"):
        assert (await browser.open(f"/ui/docs/{missing}")).status_code == 404
    assert f'href="{URL}/grants"' in (await browser.open("/ui/grants")).text
