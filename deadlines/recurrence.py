"""From a deadline and a scheme's year to the dues of that year (docs/algorithms/deadlines.md)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from functools import lru_cache

from dateutil.relativedelta import relativedelta

from deadlines.kinds import (
    KINDS,
    Deadline,
    FixedDate,
    HalfYearly,
    MonthEnd,
    Monthly,
    MonthlyNext,
    Quarterly,
    YearEnd,
    Yearly,
)

QUARTER_WORDS = "一二三四"
HALF_WORDS = "上下"
PERIOD = re.compile(r"(?P<year>\d{4})(?:-Q(?P<quarter>[1-4])|-H(?P<half>[12])|-(?P<month>\d\d)(?:-(?P<day>\d\d))?)?")


@dataclass(frozen=True)
class Occurrence:
    """One due of a deadline.

    `period` names it within its deadline: 2017, 2017-09, 2017-Q3, 2017-H1, or 2017-09-30 for a fixed date.
    `starts` to `ends` (both inclusive) is the span reported on; `due` is the last day on time and may lie outside it.
    """

    period: str
    starts: date
    ends: date
    due: date


@lru_cache(maxsize=1024)
def occurrences(deadline: Deadline, *, year: int) -> tuple[Occurrence, ...]:
    """The dues of a scheme of that year, in order; empty for kinds that make no tasks.

    Calendar days: a due that falls on a day of rest stays there, the notice moves none of them.
    A day that the month does not have becomes its last day (relativedelta clamps 31 to 28, 29 or 30).
    """
    match deadline:
        case MonthEnd(month=month):
            return (_fixed(year, month, 31),)
        case FixedDate(month=month, day=day):
            return (_fixed(year, month, day),)
        case YearEnd():
            return (_fixed(year, 12, 31),)
        case Monthly(day=day):
            return tuple(
                Occurrence(f"{starts:%Y-%m}", starts, ends, starts + relativedelta(day=day))
                for _, starts, ends in _spans(year, months=1)
            )
        case MonthlyNext(day=day):
            # December's report is due in January of the next year and belongs to this year (Jiaxing L310).
            return tuple(
                Occurrence(f"{starts:%Y-%m}", starts, ends, starts + relativedelta(months=1, day=day))
                for _, starts, ends in _spans(year, months=1)
            )
        case Quarterly(day=day):
            return tuple(
                Occurrence(f"{year:04}-Q{no}", starts, ends, ends if day is None else ends + relativedelta(day=day))
                for no, starts, ends in _spans(year, months=3)
            )
        case HalfYearly():
            return tuple(
                Occurrence(f"{year:04}-H{no}", starts, ends, ends) for no, starts, ends in _spans(year, months=6)
            )
        case Yearly():
            return tuple(Occurrence(f"{year:04}", starts, ends, ends) for _, starts, ends in _spans(year, months=12))
    if type(deadline) not in KINDS.values():
        raise TypeError(f"not a deadline: {deadline!r}")
    return ()


def _fixed(year: int, month: int, day: int) -> Occurrence:
    due = date(year, month, 1) + relativedelta(day=day)
    # Named by the day, not the year: one clause may print two dates (Jiaxing L80, 3月底前…5月底前).
    return Occurrence(due.isoformat(), date(year, 1, 1), due, due)


def _spans(year: int, *, months: int) -> Iterator[tuple[int, date, date]]:
    """(serial, first day, last day) of each span of so many months in the year."""
    for serial, month in enumerate(range(1, 13, months), start=1):
        starts = date(year, month, 1)
        yield serial, starts, starts + relativedelta(months=months - 1, day=31)


def due_at(due: date, tz: tzinfo) -> datetime:
    """The last instant still on time: due today is not late."""
    return datetime.combine(due, time.max, tzinfo=tz)


def period_label(period: str) -> str:
    """The period in Chinese: 2017年, 2017年上半年, 2017年第三季度, 2017年9月, 2017年9月30日."""
    if not (found := PERIOD.fullmatch(period)):
        raise ValueError(f"不认识的周期 {period!r}，应为 2017、2017-H1、2017-Q3、2017-09 或 2017-09-30")
    label = f"{int(found['year'])}年"
    if found["quarter"]:
        return f"{label}第{QUARTER_WORDS[int(found['quarter']) - 1]}季度"
    if found["half"]:
        return f"{label}{HALF_WORDS[int(found['half']) - 1]}半年"
    if not found["month"]:
        return label
    try:
        day = date(int(found["year"]), int(found["month"]), int(found["day"] or 1))
    except ValueError:
        raise ValueError(f"不认识的周期 {period!r}，没有这一天或这个月") from None
    return f"{label}{day.month}月{day.day}日" if found["day"] else f"{label}{day.month}月"
