"""Cron patterns, intervals, instants, and the bounds of a schedule."""

from __future__ import annotations

from typing import Any

from tests.api.bad_inputs.requests import PYTHON, Bad, Table, job, request


def expression(text: object) -> Bad:
    return job("#/schedule_expr", schedule_expr=text)


CRON: Table = {
    "too few fields": expression("* * *"),
    "too many fields": expression("* * * * * * *"),
    "second 60": expression("60 * * * * *"),
    "minute 60": expression("60 * * * *"),
    "minute -1": expression("-1 * * * *"),
    "minute 1.5": expression("1.5 * * * *"),
    "hour 24": expression("0 24 * * *"),
    "day 0": expression("0 0 0 * *"),
    "day 32": expression("0 0 32 * *"),
    "month 0": expression("0 0 1 0 *"),
    "month 13": expression("0 0 1 13 *"),
    "weekday 8": expression("0 0 * * 8"),
    "sixth weekday of a month": expression("0 0 * * 1#6"),
    "step 0": expression("*/0 * * * *"),
    "negative step": expression("*/-5 * * * *"),
    "step without a number": expression("*/ * * * *"),
    "range backwards": expression("0 17-9 * * *"),
    "open range": expression("5- * * * *"),
    "empty item": expression("1,,2 * * * *"),
    "comma at the end": expression("1, * * * *"),
    "unknown weekday": expression("0 0 * * MOO"),
    "unknown month": expression("0 0 1 FOO *"),
    "letters": expression("a b c d e"),
    "a command behind it": expression("* * * * *; rm -rf /"),
    "pattern that never fires": expression("0 0 31 2 *"),
    "day that no month has": expression("0 0 30 2 *"),
    "huge number": expression("99999999999999999999 * * * *"),
    "digits of another script": expression("\u0665 * * * *"),
    "full-width star": expression("\uff0a * * * *"),
    "line break between fields": expression("* *\n* * * x"),
    "unknown alias": expression("@fortnightly"),
    "alias with a remainder": expression("@daily 5"),
    "alias of cron that depends on a restart": expression("@reboot"),
}

INTERVALS: Table = {
    "0s": expression("0s"),
    "-5m": expression("-5m"),
    "without a unit": expression("90"),
    "with an unknown unit": expression("5y"),
    "with a comma": expression("1,5h"),
    "units in the wrong order": expression("5m1h"),
    "a unit twice": expression("1h1h"),
    "only a unit": expression("h"),
    "PT0S": expression("PT0S"),
    "empty duration": expression("P"),
    "empty time of a duration": expression("PT"),
    "of a month": expression("P1M"),
    "of a year": expression("P1Y"),
    "negative duration": expression("-PT5M"),
    "too long": expression("99999999999999999999d"),
    "in digits of another script": expression("\u0665m"),
    "infinite": expression("infs"),
    "in scientific notation": expression("1e3s"),
}

INSTANTS: Table = {
    "in the past": expression("2020-01-01T00:00:00Z"),
    "on a day that does not exist": expression("2099-02-30T00:00:00Z"),
    "in hour 25": expression("2099-01-01T25:00:00Z"),
    "in second 61": expression("2099-01-01T00:00:61Z"),
    "behind the year 9999": expression("9999-12-31T23:59:59-14:00"),
    "in the year 0": expression("0000-01-01T00:00:00Z"),
    "with an offset of 25 hours": expression("2099-01-01T00:00:00+25:00"),
    "in a clock change's gap": job(
        "#/schedule_expr", schedule_expr="2098-03-30T02:30:00", timezone="Europe/Berlin", dst={"gap": "skip"}
    ),
    "in seconds since 1970": expression("1767225600"),
    "tomorrow": expression("tomorrow"),
    "start that is none": job("#/start_at", start_at="tomorrow"),
    "start that is a number": job("#/start_at", start_at=1e9),
    "start that is a number in a text": job("#/start_at", start_at="1767225600"),
    "start without offset": job("#/start_at", start_at="2090-01-01T00:00:00"),
    "start that is a date": job("#/start_at", start_at="2090-01-01"),
    "start that is a list": job("#/start_at", start_at=["2090-01-01T00:00:00Z"]),
    "start in the year 1": job("#/start_at", start_at="0001-01-01T00:00:00+14:00"),
    "end in the year 9999": job("#/end_at", end_at="9999-12-31T23:59:59-14:00"),
    "end before the start": job("#/end_at", start_at="2090-01-02T00:00:00Z", end_at="2090-01-01T00:00:00Z"),
    "end before the first instant": job("#/end_at", schedule_expr="@yearly", end_at="2020-01-01T00:00:00Z"),
    "since yesterday": request("since", "GET /runs?since=yesterday"),
    "since a number": request("since", "GET /runs?since=0.5"),
    "since 1970 in seconds": request("since", "GET /runs?since=1767225600"),
    "since without offset": request("since", "GET /runs?since=2026-01-01T00:00:00"),
    "until the year 1": request("until", "GET /runs?until=0001-01-01T00:00:00%2B14:00"),
}

OTHERS: Table = {
    "none": request("#/schedule_expr", "POST /jobs", {"name": "a job", "payload": PYTHON}),
    "empty": expression(""),
    "blank": expression("   "),
    "words": expression("every tuesday"),
    "a number": expression(5),
    "a list": expression(["5m"]),
    "true": expression(True),  # noqa: FBT003
    "10,000 characters": expression("* " * 5000),
    "NUL": expression("5m\0"),
    "lone surrogate": expression("\ud800"),
    "right-to-left mark": expression("\u200f5m"),
    "preview of a past instant": request(
        "#/schedule_expr", "POST /schedules/preview", {"schedule_expr": "2020-01-01T00:00:00Z"}
    ),
    "preview of none": request("#/count", "POST /schedules/preview", {"schedule_expr": "5m", "count": 0}),
    "preview of too many": request("#/count", "POST /schedules/preview", {"schedule_expr": "5m", "count": 1001}),
    "preview of a text's number": request("#/count", "POST /schedules/preview", {"schedule_expr": "5m", "count": "3"}),
    "unknown field of a preview": request("#/tz", "POST /schedules/preview", {"schedule_expr": "5m", "tz": "UTC"}),
}

ZONES: Table = {
    "unknown": job("#/timezone", timezone="Europe/Berln"),
    "in small letters": job("#/timezone", timezone="europe/berlin"),
    "that is no place": job("#/timezone", timezone="Factory"),
    "path": job("#/timezone", timezone="../../etc/passwd"),
    "absolute path": job("#/timezone", timezone="/etc/localtime"),
    "offset": job("#/timezone", timezone="+02:00"),
    "NUL": job("#/timezone", timezone="UTC\0"),
    "empty": job("#/timezone", timezone=""),
    "blank": job("#/timezone", timezone=" "),
    "number": job("#/timezone", timezone=1),
    "10,000 characters": job("#/timezone", timezone="x" * 10_000),
    "lone surrogate": job("#/timezone", timezone="\ud800"),
    "of a preview": request("#/timezone", "POST /schedules/preview", {"schedule_expr": "5m", "timezone": "Mars/Base"}),
    "unknown choice for gaps": job("#/dst/gap", dst={"gap": "jump"}),
    "unknown choice for folds": job("#/dst/fold", dst={"fold": "third"}),
    "unknown field of dst": job("#/dst/gp", dst={"gp": "skip"}),
    "dst that is a text": job("#/dst", dst="skip"),
}


def rule(text: str, **more: Any) -> Bad:
    return request("#/rules/0", "PUT /calendars/closed", {"rules": [{"rrule": text, **more}]})


CALENDARS: Table = {
    "without days": request("#", "PUT /calendars/closed", {}),
    "rule by the hour": rule("FREQ=HOURLY"),
    "rule with a second FREQ": rule("FREQ=DAILY;FREQ=SECONDLY", start="1900-01-01"),
    "rule that never goes on": rule("FREQ=DAILY;INTERVAL=0"),
    "rule of a million days": rule("FREQ=DAILY;COUNT=1000000"),
    "rule with a part that is none": rule("FREQ=YEARLY;BYEASTER=0"),
    "rule with a day that is none": rule("FREQ=WEEKLY;BYDAY=XX"),
    "rule from the year 1": request(
        "#/rules/0/start", "PUT /calendars/closed", {"rules": [{"rrule": "FREQ=DAILY", "start": "0001-01-01"}]}
    ),
    "two rules in one": request("#/rules/0/rrule", "PUT /calendars/closed", {"rules": [{"rrule": "FREQ=DAILY\nX=1"}]}),
    "iCalendar of 400,000 characters": request("#/ical", "PUT /calendars/closed", {"ical": "x" * 400_000}),
    "iCalendar of a million days": request(
        "#",
        "PUT /calendars/closed",
        {
            "ical": "BEGIN:VCALENDAR\r\n"
            + "BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20260101\r\nDTEND;VALUE=DATE:20261231\r\nEND:VEVENT\r\n" * 3000
            + "END:VCALENDAR\r\n"
        },
    ),
    "country that is none": request(
        "#/holidays/0", "PUT /calendars/closed", {"holidays": [{"country": "XX", "subdivision": None}]}
    ),
    "year 9999": request("year", "GET /calendars/business-days/days?year=9999"),
    "name with a slash": request(404, "GET /calendars/..%2Fx/days"),
}
