"""Wrong settings stop the start in one line. The tables of bad inputs are large enough."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.api.bad_inputs.framing import FRAMING
from tests.api.bad_inputs.settings import SETTINGS
from tests.api.bad_inputs.tables import TABLES

from scheduler_service.config.loading import load_settings
from scheduler_service.errors import ConfigurationError

FEWEST_CASES = 400


@pytest.mark.parametrize("name", SETTINGS)
def test_wrong_setting_stops_the_start_in_one_line(name: str, tmp_path: Path) -> None:
    line, expected = SETTINGS[name]
    (tmp_path / "env").write_text(line + "\n")
    with pytest.raises(ConfigurationError) as refused:
        load_settings(_env_file=tmp_path / "env")
    assert str(refused.value).startswith(expected)
    assert "\n" not in str(refused.value)


def test_tables_of_bad_inputs_are_large() -> None:
    assert sum(map(len, TABLES.values())) + len(FRAMING) + len(SETTINGS) >= FEWEST_CASES
