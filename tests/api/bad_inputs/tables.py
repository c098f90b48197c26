"""All tables of requests to the API, by their kind."""

from __future__ import annotations

from tests.api.bad_inputs import definitions, parts, schedules
from tests.api.bad_inputs.requests import Bad, Table

TABLES: dict[str, Table] = {
    f"{module.__name__.rpartition('.')[2]}: {name}": table
    for module in (schedules, definitions, parts)
    for name, table in vars(module).items()
    if name.isupper() and isinstance(table, dict) and isinstance(next(iter(table.values())), Bad)
}
