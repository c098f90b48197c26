"""The package index, with the credentials in its URL, which nothing may show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

PYPI = "https://pypi.org/simple"
_FILES_OF_PYPI = "files.pythonhosted.org"


@dataclass(frozen=True, slots=True)
class PackageIndex:
    """An index by its URL, and further hosts that serve its files."""

    url: str = field(repr=False)
    file_hosts: Sequence[str] = ()

    @property
    def places(self) -> list[tuple[str, int]]:
        """The hosts and ports that a build has to reach."""
        parts = urlsplit(self.url)
        port = parts.port or (80 if parts.scheme == "http" else 443)
        further = (*self.file_hosts, _FILES_OF_PYPI) if self.url == PYPI else self.file_hosts
        return [(parts.hostname or "", port), *((host, 443) for host in further)]

    def hide(self, text: str) -> str:
        """Return a text without the credentials of the URL, in the forms in which programs may write them."""
        parts = urlsplit(self.url)
        user_info = parts.netloc.rpartition("@")[0]
        secrets = {user_info, parts.password or "", unquote(parts.password or "")} - {""}
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text
