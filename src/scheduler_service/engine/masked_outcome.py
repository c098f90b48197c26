"""Masks secrets in what the sandbox reports about an attempt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from scheduler_service.domain.masking import Masker
from scheduler_service.sandbox.contract.collected import Artifact, Collected
from scheduler_service.sandbox.contract.spec import Outcome


def mask_outcome(outcome: Outcome, masker: Masker) -> Outcome:
    """Return an outcome without secrets in its texts and in the names of its artifacts.

    The result of the run is left as it is: what parses it masks it.
    """
    collected = None if outcome.collected is None else _mask_collected(outcome.collected, masker)
    message, refused = (None if text is None else masker.text(text) for text in (outcome.message, outcome.refused))
    return replace(outcome, message=message, refused=refused, collected=collected)


def _mask_collected(collected: Collected, masker: Masker) -> Collected:
    artifacts = tuple(_with_other_names(collected.artifacts, masker))
    return replace(collected, artifacts=artifacts, problems=tuple(map(masker.text, collected.problems)))


def _with_other_names(artifacts: Sequence[Artifact], masker: Masker) -> Iterator[Artifact]:
    """Yield artifacts with masked names. Names that become the same get numbers."""
    taken = {artifact.name for artifact in artifacts}
    for artifact in artifacts:
        name = masked = masker.text(artifact.name)
        if name != artifact.name:
            number = 1
            while name in taken:
                number += 1
                name = f"{masked}-{number}"
            taken.add(name)
        yield replace(artifact, name=name)
