"""The guides: the Markdown files of this project, as pages of the interface that need no connection to anywhere.

Theory of operation. A checkout and an image have the files where the repository has them, a wheel has copies within the
package. A guide has the name of its file. It is rendered once, without HTML of its own and without styles, as the
content security policy demands. Links between guides lead to their pages. Those to other files of the repository, which
the service does not have, become text.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

PACKAGE = Path(__file__).parents[1]
COPIES = PACKAGE / "guides"
PLACE = COPIES if COPIES.is_dir() else PACKAGE.parents[1]
URL = "/ui/docs"
PICTURES = "docs/images"

GROUPS: Mapping[str, Sequence[str]] = {
    "jobs": ("cookbook", "running-code", "packages", "grants", "secrets"),
    "schedules": ("policies", "calendars", "chains", "backfill"),
    "changes": ("changing-jobs", "jobs-as-files"),
    "operation": ("deployment", "quotas", "monitoring", "performance", "security"),
    "interfaces": ("web-interface", "api"),
    "inside": ("architecture", "contributing"),
}
"""The names of the guides, as the README groups them. The decisions come last."""
DECISIONS = "decisions"
_AT_THE_ROOT = {"security": "SECURITY.md", "contributing": "CONTRIBUTING.md"}
_NAMED = re.compile(rf"\bdocs/({'|'.join(name for names in GROUPS.values() for name in names)})\.md\b")
_OUTSIDE = ("http://", "https://", "mailto:")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a guide."""

    level: int
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Guide:
    """A guide: its name, its title, its headings below the title, and its text as HTML."""

    name: str
    title: str
    headings: tuple[Heading, ...]
    html: Markup

    @property
    def url(self) -> str:
        """Return the address of its page."""
        return f"{URL}/{self.name}"


@cache
def files() -> Mapping[str, str]:
    """Return the path of each guide below `PLACE` by its name."""
    plain = {path.stem: f"docs/{path.name}" for path in sorted((PLACE / "docs").glob("*.md"))}
    decisions = sorted((PLACE / "docs" / DECISIONS).glob("*.md"))
    return plain | _AT_THE_ROOT | {f"{DECISIONS}/{path.stem}": f"docs/{DECISIONS}/{path.name}" for path in decisions}


@cache
def read_guide(name: str) -> Guide | None:
    """Return a guide, or None if there is none of this name."""
    path = files().get(name)
    if path is None:
        return None
    tokens = _parser().parse((PLACE / path).read_text("utf-8"))
    headings = _headings(tokens)
    for token in tokens:
        _prepare(token)
        _lead(token.children or (), path)
    title = headings[0].text if headings else name
    # The page shows the title itself.
    body = tokens[3:] if tokens and tokens[0].tag == "h1" else tokens
    return Guide(name, title, headings[1:], Markup(_parser().renderer.render(body, _parser().options, {})))  # noqa: S704


def with_links(message: str) -> Markup:
    """Return a message as HTML in which names of guides, such as `docs/grants.md`, lead to their pages."""
    return Markup(_NAMED.sub(rf'<a href="{URL}/\1">\g<0></a>', str(escape(message))))  # noqa: S704 (it is escaped)


def picture(name: str) -> Path | None:
    """Return the file of a picture of the guides, or None."""
    found = PLACE / PICTURES / name
    return found if found in (PLACE / PICTURES).glob("*.png") else None


@cache
def _entries() -> tuple[tuple[str, str, str], ...]:
    """Return for every guide and every heading: the text, the title of its guide, and the address."""
    found = [guide for name in files() if (guide := read_guide(name)) is not None]
    titles = [(guide.title, "", guide.url) for guide in found]
    return (
        *titles,
        *((each.text, guide.title, f"{guide.url}#{each.anchor}") for guide in found for each in guide.headings),
    )


def search(wanted: str, limit: int) -> list[tuple[str, str, str]]:
    """Return text, title of the guide and address of the headings that have all words of a text, titles first."""
    words = wanted.lower().split()
    return [entry for entry in _entries() if all(word in entry[0].lower() for word in words)][:limit]


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 (a start of the service does not wait for it)

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("table_open", lambda *_: '<div class="scroll" tabindex="0"><table class="table">')
    parser.add_render_rule("table_close", lambda *_: "</table></div>")
    return parser


def _headings(tokens: Sequence[Token]) -> tuple[Heading, ...]:
    """Return the headings, and give each its anchor, as GitHub names it."""
    found, anchors = list[Heading](), list[str]()
    for opening, content in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        text = "".join(child.content for child in content.children or ())
        anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        anchors.append(anchor)
        count = anchors.count(anchor) - 1
        found.append(Heading(int(opening.tag[1]), text, f"{anchor}-{count}" if count else anchor))
        opening.attrSet("id", found[-1].anchor)
    return tuple(found)


def _prepare(token: Token) -> None:
    """Make code reachable by the keyboard, because it can be scrolled, and align cells without styles."""
    if token.type in {"fence", "code_block"}:
        token.attrSet("tabindex", "0")
    elif token.attrs.pop("style", "") == "text-align:right":
        token.attrSet("class", "number")


def _lead(tokens: Sequence[Token], path: str) -> None:
    """Lead the links and pictures of a paragraph to their pages. A link to nowhere becomes text."""
    is_text = False
    for token in tokens:
        if token.type == "image":
            token.attrs |= {"src": _address(str(token.attrGet("src")), path) or "", "loading": "lazy"}
        elif token.type == "link_open":
            address = _address(str(token.attrGet("href")), path)
            token.attrSet("href", address or "")
            is_text = address is None
        if is_text and token.type in {"link_open", "link_close"}:
            is_text = token.type == "link_open"
            token.type, token.content = "text", ""


def _address(written: str, path: str) -> str | None:
    """Return where a link of a guide leads in the interface, or None if the service does not have what it names."""
    if written.startswith((*_OUTSIDE, "#")):
        return written
    target, mark, anchor = written.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if target.startswith(f"{PICTURES}/"):
        return f"{URL}/images/{posixpath.basename(target)}"
    if target == f"docs/{DECISIONS}":
        return f"{URL}#{DECISIONS}"
    name = {known: name for name, known in files().items()}.get(target)
    return None if name is None else f"{URL}/{name}{mark}{anchor}"
