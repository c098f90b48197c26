"""Draws the states of a run, as a Mermaid diagram made from the table of transitions.

Without arguments it prints the diagram. With `--write` it replaces the one in docs/architecture.md.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from scheduler_service.domain.run_state import TERMINAL, TRANSITIONS, RunStatus

DOCUMENT = Path(__file__).parent.parent / "docs" / "architecture.md"
BLOCK = re.compile(r"```mermaid\nstateDiagram-v2\n.*?```\n", re.DOTALL)


def draw() -> str:
    """Return the diagram as a fenced block of Markdown."""
    moves = [
        f"    {source or '[*]'} --> {target}"
        for source in (None, *RunStatus)
        for target in RunStatus
        if target in TRANSITIONS[source]
    ]
    ends = [f"    {status} --> [*]" for status in RunStatus if status in TERMINAL]
    return "\n".join(["```mermaid", "stateDiagram-v2", *moves, *ends, "```", ""])


def main() -> None:
    """Print the diagram, or write it into the document."""
    if sys.argv[1:] == ["--write"]:
        DOCUMENT.write_text(BLOCK.sub(draw(), DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        sys.stdout.write(draw())


if __name__ == "__main__":
    main()
