"""Builds the payload of a job from command line options."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scheduler_service.console.documents import Document, read_fields, read_text, refusal


@dataclass(frozen=True, slots=True)
class PayloadChoice:
    """The payload options: at most one kind, and its arguments."""

    python: str | None
    shell: str | None
    crunch: str | None
    program: bool
    words: Sequence[str]

    def document(self) -> Document | None:
        """Return the payload, or None without options. Raise `RefusedError` for two kinds or unrelated arguments."""
        kinds = [kind for kind in self._kinds() if kind is not None]
        if len(kinds) > 1:
            raise refusal(
                "payload", "several payloads given; write only one of --python, --shell, --crunch and --program"
            )
        if self.words and not (self.crunch or self.program):
            raise refusal("payload", f"unexpected word {self.words[0]!r}; words belong to --crunch or --program")
        return kinds[0] if kinds else None

    def _kinds(self) -> Iterator[Document | None]:
        yield {"type": "python_code", "code": read_text(self.python)} if self.python is not None else None
        yield {"type": "shell_script", "script": read_text(self.shell)} if self.shell is not None else None
        yield {"type": "program", "argv": list(self.words)} if self.program else None
        if self.crunch is not None:
            yield {"type": "number_crunching", "operation": self.crunch, **read_fields(self.words)}
