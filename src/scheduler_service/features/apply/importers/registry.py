"""The importers by their names. A new one is a module with one function, and an entry here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType

from scheduler_service.features.apply.importers.imported import Imported, Options, refuse


@dataclass(frozen=True, slots=True)
class Importer:
    """An importer: what it reads, and its module and function, which are imported when they are used."""

    reads: str
    module: str
    function: str

    def imported(self, text: str, name: str, options: Options) -> Imported:
        """Return the jobs of a text. Raise `InvalidInputError` if it is not what the importer reads."""
        read = getattr(import_module(f"{__package__}.{self.module}"), self.function)
        try:
            imported: Imported = read(text, name, options)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise refuse(f"has a value that {self.reads} never has: {error}") from None
        return imported


IMPORTERS: Mapping[str, Importer] = MappingProxyType(
    {
        "crontab": Importer("a crontab", "crontab", "import_crontab"),
        "celery": Importer("a Celery beat schedule in Python", "celery", "import_beat_schedule"),
        "kubernetes": Importer("Kubernetes CronJobs in YAML", "kubernetes", "import_cron_jobs"),
        "cronicle": Importer("an export of Cronicle events in JSON", "cronicle", "import_events"),
        "dkron": Importer("a list of Dkron jobs in JSON", "dkron", "import_jobs"),
    }
)
