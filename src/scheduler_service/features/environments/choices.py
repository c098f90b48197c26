"""Converts settings into the index and the rules of packages."""

from __future__ import annotations

from scheduler_service.config.settings import Settings
from scheduler_service.features.environments.index import PYPI, PackageIndex
from scheduler_service.features.environments.rules import PackageRules


def index_of(settings: Settings) -> PackageIndex:
    """Return the index from which packages come: one, and no other beside it."""
    url = settings.package_index_url
    return PackageIndex(PYPI if url is None else url.get_secret_value(), settings.package_file_hosts)


def rules_of(settings: Settings) -> PackageRules:
    """Return which packages the operator allows."""
    are_allowed = settings.packages == "allow"
    return PackageRules(are_allowed, settings.packages_allowed, settings.packages_denied)
