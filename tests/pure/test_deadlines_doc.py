"""The tables of docs/algorithms/deadlines.md are the test cases."""

from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from deadlines import ladder
from deadlines.calendar import seeded_calendar
from deadlines.kinds import KINDS, Monthly, parse_deadline
from deadlines.recurrence import occurrences

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "algorithms" / "deadlines.md"
SHANGHAI = ZoneInfo("Asia/Shanghai")
CALENDAR = seeded_calendar()


@cache
def cells(name: str) -> list[list[str]]:
    """The lines of the table below the marker of that name, without its head."""
    _, _, after = DOCUMENT.read_text(encoding="utf-8").partition(f"<!-- cases: {name} -->\n")
    table, _, _ = after.partition("\n\n")
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def cases(name: str):
    """A test is parametrised with the lines of the table; an empty table is an error, not a pass."""
    found = cells(name)
    assert found, f"no table {name} in {DOCUMENT}"
    return pytest.mark.parametrize("row", found, ids=lambda row: "|".join(row)[:60])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@cases("occurrences")
def test_dues_of_a_year(row):
    text, year, _, count, first_period, first_due, last_period, last_due = row
    found = occurrences(parse_deadline(yaml.safe_load(text.strip("`"))), year=int(year))
    assert len(found) == int(count)
    assert (found[0].period, found[0].due.isoformat()) == (first_period, first_due)
    assert (found[-1].period, found[-1].due.isoformat()) == (last_period, last_due)


def test_every_task_making_kind_has_a_worked_line():
    written = {yaml.safe_load(row[0].strip("`"))["kind"] for row in cells("occurrences")}
    assert written == {name for name, cls in KINDS.items() if cls.makes_tasks}


@cases("clamp")
def test_days_clamp_at_month_end(row):
    year, *days = map(int, row)
    assert [found.due for found in occurrences(Monthly(day=31), year=year)] == [
        date(year, month, day) for month, day in enumerate(days, start=1)
    ]


@cases("workdays")
def test_moving_by_working_days(row):
    start, n, end = date.fromisoformat(row[0]), int(row[1]), date.fromisoformat(row[2])
    assert CALENDAR.add_workdays(start, n) == end
    assert CALENDAR.workdays_between(start, end) == n


@cases("years")
def test_working_days_of_a_year(row):
    year, count, make_up, provisional = row
    days = [date(int(year), 1, 1) + timedelta(days=n) for n in range(365)]
    assert days[-1] == date(int(year), 12, 31)
    assert sum(map(CALENDAR.is_workday, days)) == int(count)
    assert [f"{day:%m-%d}" for day in days if day.weekday() >= 5 and CALENDAR.is_workday(day)] == make_up.split()
    assert {CALENDAR.is_provisional(day) for day in days} == {provisional == "yes"}


@cases("ladder")
def test_when_each_step_fires(row):
    codes = ("before3", "before1", "due", "overdue", "late3", "late7")
    found = ladder.schedule(due_at=at(row[0]), calendar=CALENDAR, tz=SHANGHAI)
    assert [(step.code, moment) for step, moment in found] == list(zip(codes, map(at, row[1:7]), strict=True))


@cases("stages")
def test_stage_at_an_instant(row):
    due_at, now, stage, left, late = at(row[0]), at(row[1]), row[2], int(row[3]), int(row[4])
    assert ladder.stage_at(due_at=due_at, now=now, calendar=CALENDAR, tz=SHANGHAI) == stage
    assert ladder.days_left(due_at, now, SHANGHAI, CALENDAR) == left
    assert ladder.days_late(due_at, now, SHANGHAI, CALENDAR) == late
