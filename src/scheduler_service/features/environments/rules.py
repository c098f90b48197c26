"""Which packages the operator allows, by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_name

DENIED = (
    "this server installs no packages (SCHEDULER_PACKAGES is deny); ask the operator, or use the default environment"
)


@dataclass(frozen=True, slots=True)
class PackageRules:
    """Whether packages are allowed at all, and which. An empty `only` allows every name that is not in `never`.

    They hold for everything that a lock contains, and not only for what a job names.
    """

    are_allowed: bool = True
    only: Sequence[str] = ()
    never: Sequence[str] = ()

    def why_refused(self, names: Iterable[str]) -> str | None:
        """Return why one of these packages may not be installed, or None."""
        if not self.are_allowed:
            return DENIED
        only, never = ({canonicalize_name(name) for name in listed} for listed in (self.only, self.never))
        for name in names:
            if (canonical := canonicalize_name(name)) in never:
                return f"the operator forbids the package {canonical} (SCHEDULER_PACKAGES_DENIED)"
            if only and canonical not in only:
                return f"the operator does not allow the package {canonical}; ask for it in SCHEDULER_PACKAGES_ALLOWED"
        return None
