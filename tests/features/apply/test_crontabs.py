"""Crontabs of distributions and projects as job files, compared with an oracle of Vixie cron over a year."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from tests.features.apply import vixie_cron
from tests.features.apply.importing import imported, notes_of, only

from scheduler_service.domain.schedules.calendar_dst import DstPolicy
from scheduler_service.domain.schedules.schedule import parse

CRONTABS = Path(__file__).parents[2] / "unit" / "domain" / "crontabs.txt"
YEAR, DAYS = date(2027, 1, 1), 365
# Days on which every instant is compared; on all others, their number is.
SAMPLED = range(0, DAYS, 61)


def crontabs() -> dict[str, str]:
    """Return real crontabs by their names."""
    found: dict[str, str] = {}
    for section in CRONTABS.read_text(encoding="utf-8").split("=== ")[1:]:
        name, _, text = section.partition("\n")
        found[name] = text
    return found


class TestCrontab:
    """Crontabs of distributions and projects, and each thing that has no counterpart."""

    def test_real_crontabs_are_many(self) -> None:
        assert len(crontabs()) >= 28

    @pytest.mark.parametrize("name", crontabs())
    def test_real_crontab_fires_as_vixie_cron_does(self, name: str) -> None:
        found = imported("crontab", crontabs()[name])
        lines = [line for line in crontabs()[name].splitlines() if line[:1] != "#" and "=" not in line.split()[0]]
        assert len(found.documents) == len(lines)
        for line, document in zip(lines, found.documents, strict=True):
            schedule = line.split()[0] if line.startswith("@") else " ".join(line.split()[:5])
            if schedule == "@reboot":
                assert document["schedule_expr"] is None
            else:
                self.compare(document["schedule_expr"], vixie_cron.parse(schedule))

    def compare(self, expr: str, entry: vixie_cron.Entry) -> None:
        schedule = parse(expr, timezone="UTC", dst=DstPolicy(), anchor_at=datetime(2027, 1, 1, tzinfo=UTC))
        per_day = len(entry.times())
        for number in range(DAYS):
            on = YEAR + timedelta(days=number)
            end = datetime(on.year, on.month, on.day, 23, 59, 59, tzinfo=UTC)
            start = end - timedelta(days=1)
            assert schedule.count_between(start, end) == per_day * entry.fires_on(on), (expr, on)
            if number in SAMPLED or (per_day == 1 and entry.fires_on(on)):
                theirs = [at.replace(tzinfo=UTC) for at in entry.instants(on, 1)]
                assert list(schedule.between(start, end)) == theirs, (expr, on)

    def test_users_are_guessed_and_told(self) -> None:
        with_users = imported("crontab", "17 * * * * root run-parts /etc/cron.hourly\n")
        without = imported("crontab", "17 * * * * root run-parts\n", has_user_field=False)
        assert only(with_users)["payload"]["script"] == "#!/bin/sh\nrun-parts /etc/cron.hourly\n"
        assert only(without)["payload"]["script"] == "#!/bin/sh\nroot run-parts\n"
        assert "--no-user-field reads it the other way" in notes_of(with_users)
        assert "line 1: ran as root; runs have no access to this user's files" in notes_of(with_users)

    def test_percent_signs_become_standard_input(self) -> None:
        script = only(imported("crontab", r"0 1 * * * mail -s \%d me%Hello%World"))["payload"]["script"]
        assert script == "#!/bin/sh\nexec <<'END_OF_INPUT'\nHello\nWorld\nEND_OF_INPUT\nmail -s %d me\n"

    def test_settings_apply_to_the_lines_below(self) -> None:
        text = 'A=1\n1 1 * * * one\nSHELL=/bin/bash\nA = "two words"\nCRON_TZ=Asia/Tokyo\nMAILTO=me\n2 2 * * * two\n'
        found = imported("crontab", text, timezone="Europe/Berlin")
        first, second = found.documents
        assert (first["env"], first["timezone"]) == ({"A": "1"}, "Europe/Berlin")
        assert (second["env"], second["timezone"]) == ({"A": "two words"}, "Asia/Tokyo")
        assert second["payload"]["script"].startswith("#!/bin/bash\n")
        assert "line 6: MAILTO=me: no mail is sent" in notes_of(found)

    def test_runs_are_parallel_and_never_late_as_in_cron(self) -> None:
        document = only(imported("crontab", "* * * * * x"))
        assert (document["overlap_policy"], document["misfire_policy"]) == ("allow", "skip")

    def test_reboot_and_random_minutes_are_told(self) -> None:
        found = imported("crontab", "@reboot up\n0~30 4 * * * shaken\n")
        assert [document["schedule_expr"] for document in found.documents] == [None, "0 4 * * *"]
        assert found.documents[1]["jitter_seconds"] == 1800
        assert "@reboot has no counterpart" in notes_of(found)
        assert "was random once for all runs" in notes_of(found)

    def test_line_that_cannot_be_read_here_is_told_and_left_out(self) -> None:
        found = imported("crontab", "0 0 * * 5-1 wrong\n0 0 * * 1 right\n")
        assert len(found.documents) == 1
        assert "line 1: not imported: " in notes_of(found)

    def test_keys_differ(self) -> None:
        found = imported("crontab", "1 1 * * * /usr/bin/x a\n2 2 * * * /usr/bin/x a\n")
        assert [document["external_key"] for document in found.documents] == ["file-x-a", "file-x-a-2"]
