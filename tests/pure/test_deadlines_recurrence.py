import calendar
import os
import time
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadlines.kinds import KINDS, FixedDate, HalfYearly, MonthEnd, Monthly, MonthlyNext, Quarterly, YearEnd, Yearly
from deadlines.recurrence import due_at, occurrences, period_label

SHANGHAI = ZoneInfo("Asia/Shanghai")
ISSUED = date(2017, 9, 13)  # Jiaxing L25
YEARS = st.integers(1950, 2100)
DAYS = st.integers(1, 31)

recurring = st.one_of(
    st.builds(Monthly, day=DAYS),
    st.builds(MonthlyNext, day=DAYS),
    st.builds(Quarterly, day=st.none() | DAYS),
    st.sampled_from([HalfYearly(), Yearly()]),
)


def test_next_month_reports_of_jiaxing():
    """L310, worked case 31: eight past and four left at the issue, the last in January of the next year."""
    dues = [found.due for found in occurrences(MonthlyNext(day=5), year=2017)]
    assert dues == [date(2017, month, 5) for month in range(2, 13)] + [date(2018, 1, 5)]
    assert sum(due < ISSUED for due in dues) == 8


def test_fixed_dates_of_jiaxing():
    """Worked case 29: nine of the fourteen precede the issue (L76 to L90, L310)."""
    printed = [MonthEnd(month=month) for month in (9, 5, 3, 5, 4, 9, 6, 5, 8, 4, 9, 6, 9)] + [YearEnd()]
    dues = [occurrences(deadline, year=2017)[0].due for deadline in printed]
    assert len(dues) == 14
    assert sum(due < ISSUED for due in dues) == 9


def test_span_and_due_are_told_apart():
    december = occurrences(MonthlyNext(day=5), year=2017)[-1]
    assert (december.starts, december.ends, december.due) == (date(2017, 12, 1), date(2017, 12, 31), date(2018, 1, 5))
    third = occurrences(Quarterly(), year=2017)[2]
    assert (third.period, third.starts, third.ends) == ("2017-Q3", date(2017, 7, 1), date(2017, 9, 30))
    fixed = occurrences(FixedDate(month=9, day=15), year=2017)[0]
    assert (fixed.period, fixed.starts, fixed.ends) == ("2017-09-15", date(2017, 1, 1), date(2017, 9, 15))


def test_two_dates_of_one_clause_are_two_periods():
    """L80: 3月底前…,5月底前…"""
    found = [occurrences(MonthEnd(month=month), year=2017)[0].period for month in (3, 5)]
    assert found == ["2017-03-31", "2017-05-31"]


@given(deadline=recurring, year=YEARS)
def test_spans_cover_the_year_without_gap(deadline, year):
    found = occurrences(deadline, year=year)
    assert (found[0].starts, found[-1].ends) == (date(year, 1, 1), date(year, 12, 31))
    assert all(one.ends + timedelta(days=1) == other.starts for one, other in pairwise(found))
    assert len({one.period for one in found}) == len(found)


@given(day=DAYS, year=YEARS)
def test_monthly_dues_are_the_printed_day_or_the_last(day, year):
    for found, shift in (
        (occurrences(Monthly(day=day), year=year), 0),
        (occurrences(MonthlyNext(day=day), year=year), 1),
    ):
        for month, one in enumerate(found):
            due_year, due_month = divmod(year * 12 + month + shift, 12)
            last = calendar.monthrange(due_year, due_month + 1)[1]
            assert one.due == date(due_year, due_month + 1, min(day, last))


@given(year=YEARS)
def test_february_ends_on_its_last_day(year):
    due = date(year, 2, 29 if calendar.isleap(year) else 28)
    assert occurrences(MonthEnd(month=2), year=year)[0].due == due
    assert occurrences(FixedDate(month=2, day=29), year=year)[0].due == due


@pytest.mark.parametrize("kind", [name for name, cls in KINDS.items() if not cls.makes_tasks])
def test_other_kinds_have_no_dues(kind):
    required = {"count_in_period": {"count": 6}, "after_event": {"amount": 5, "unit": "minutes", "event": "接警"}}
    assert occurrences(KINDS[kind](**required.get(kind, {})), year=2017) == ()


def test_something_else_is_refused():
    with pytest.raises(TypeError, match="monthly"):
        occurrences("monthly", year=2017)


def test_due_instant_is_the_last_of_the_day():
    found = due_at(date(2017, 9, 30), SHANGHAI)
    assert found.isoformat() == "2017-09-30T23:59:59.999999+08:00"
    assert (found + timedelta(microseconds=1)).date() == date(2017, 10, 1)


def test_shanghai_has_one_offset_in_every_season():
    offsets = {due_at(date(year, month, 1), SHANGHAI).utcoffset() for year in (2017, 2026) for month in range(1, 13)}
    assert offsets == {timedelta(hours=8)}


@pytest.fixture
def machine_zone():
    """Sets the time zone of the process, and puts the old one back."""
    before = os.environ.get("TZ")

    def choose(name):
        os.environ["TZ"] = name
        time.tzset()

    yield choose
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize("name", ["UTC", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_the_zone_of_the_machine_does_not_matter(machine_zone, name):
    machine_zone(name)
    assert (
        due_at(date(2017, 9, 30), SHANGHAI).timestamp()
        == datetime.fromisoformat("2017-09-30T23:59:59.999999+08:00").timestamp()
    )


@pytest.mark.parametrize(
    ("period", "label"),
    [
        ("2017", "2017年"),
        ("2017-H1", "2017年上半年"),
        ("2017-H2", "2017年下半年"),
        ("2017-Q1", "2017年第一季度"),
        ("2017-Q3", "2017年第三季度"),
        ("2017-09", "2017年9月"),
        ("2017-12", "2017年12月"),
        ("2017-09-30", "2017年9月30日"),
    ],
)
def test_period_labels(period, label):
    assert period_label(period) == label


@pytest.mark.parametrize(
    "period", ["", "17", "2017-Q5", "2017-H3", "2017-13", "2017-00", "2017-02-30", "2017-9", "二〇一七"]
)
def test_unknown_periods_are_refused(period):
    with pytest.raises(ValueError, match="不认识的周期"):
        period_label(period)


@given(deadline=recurring | st.builds(MonthEnd, month=st.integers(1, 12)), year=YEARS)
def test_every_period_has_a_label_of_its_own(deadline, year):
    labels = [period_label(found.period) for found in occurrences(deadline, year=year)]
    assert len(set(labels)) == len(labels)
    assert all(label.startswith(f"{year}年") for label in labels)
