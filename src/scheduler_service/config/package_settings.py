"""The settings of packages that jobs ask for; `Settings` contains them."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from scheduler_service.config.values import Names


class PackageSettings(BaseSettings):
    """Where packages come from, which are allowed, and how much room they take."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True, frozen=True)

    packages: Literal["allow", "deny"] = "allow"
    """Choose whether jobs may ask for packages: allow or deny. Default: allow."""
    package_index_url: SecretStr | None = None
    """Install packages from this index only, such as https://user:key@pypi.example.org/simple. Default: PyPI."""
    package_file_hosts: Names = ()
    """Name further hosts that serve the files of the index, separated by commas. Default: those of PyPI, or none."""
    packages_allowed: Names = ()
    """Install only these packages, separated by commas; dependencies count too. Default: all that are not denied."""
    packages_denied: Names = ()
    """Install none of these packages, separated by commas. Default: none."""
    package_cache_mb: Annotated[int, Field(ge=64)] = 2048
    """Keep this much of built environments on each host, in MiB. Default: 2048."""
    package_memory_mb: Annotated[int, Field(ge=32)] = 512
    """Keep interpreters with packages warm in this much memory, in MiB. Default: 512."""
    package_idle_seconds: Annotated[float, Field(ge=0, le=86400)] = 600.0
    """Keep an interpreter with packages warm for this many seconds after its last run. Default: 600."""

    @field_validator("package_index_url")
    @classmethod
    def _check_index_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            parts = urlsplit(url.get_secret_value())
            if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
                raise ValueError(
                    "not the address of a package index; write one such as https://pypi.example.org/simple"
                )
        return url
