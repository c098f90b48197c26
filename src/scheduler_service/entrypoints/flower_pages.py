"""Makes Flower's page of a task lead to the page of its run.

Flower escapes everything that a task carries, and none of its options adds a link. Its pages are templates of Tornado,
which takes the loader of templates as a setting. The loader here changes one expression of Flower's own template. If a
later Flower writes that expression differently, the address stays what it is without this module: text.
"""

from __future__ import annotations

import re
from pathlib import Path

from flower.urls import settings
from tornado.escape import xhtml_escape
from tornado.template import Loader, Template

_PAGE = "task.html"
_SHOWN, _LINKED = "{{ task.kwargs }}", "{% raw linked(task.kwargs) %}"
_RUN_ADDRESS = re.compile(r"https?://[^\s'\"<>&]+/runs/\d+")


def link_runs() -> None:
    """Make the pages of this process, which has not started Flower yet, link to runs."""
    settings["template_loader"] = LinkingLoader(settings["template_path"], namespace={"linked": linked})


class LinkingLoader(Loader):
    """Loads Flower's templates, with the keyword arguments of a task as a text that has links."""

    def _create_template(self, name: str) -> Template:
        source = Path(self.root, name).read_text("utf-8")
        if name == _PAGE:
            source = source.replace(_SHOWN, _LINKED)
        return Template(source, name=name, loader=self)


def linked(shown: object) -> str:
    """Return a text as HTML, in which the address of a run is a link."""
    return _RUN_ADDRESS.sub(r'<a href="\g<0>">\g<0></a>', xhtml_escape(str(shown)))
