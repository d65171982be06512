from datetime import date, datetime, timedelta

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadlines.calendar import WorkCalendar, seeded_calendar

SEEDED = seeded_calendar()
BARE = WorkCalendar(days={}, known_years=frozenset())

days = st.dates(date(2003, 6, 1), date(2029, 6, 1))
calendars = st.sampled_from([SEEDED, BARE]) | st.builds(
    WorkCalendar,
    days=st.dictionaries(st.dates(date(2017, 1, 1), date(2017, 12, 31)), st.booleans(), max_size=60),
    known_years=st.just(frozenset({2017})),
)
near = st.dates(date(2016, 12, 1), date(2018, 1, 31)) | days
shifts = st.integers(-40, 40)


@given(calendar=calendars, d=near, n=shifts)
def test_counting_agrees_with_moving(calendar, d, n):
    assert calendar.workdays_between(d, calendar.add_workdays(d, n)) == n


@given(calendar=calendars, d=near, n=shifts)
def test_moving_back_undoes_moving(calendar, d, n):
    start = calendar.next_workday(d)  # from a day of rest, forth and back ends on a working day instead
    assert calendar.add_workdays(calendar.add_workdays(start, n), -n) == start


@given(calendar=calendars, d=near, n=shifts)
def test_moving_ends_on_a_working_day(calendar, d, n):
    moved = calendar.add_workdays(d, n)
    if n == 0:
        assert moved == d
    else:
        assert calendar.is_workday(moved)
        assert (moved > d) == (n > 0)


@given(calendar=calendars, a=near, b=near)
def test_counting_is_without_the_first_and_with_the_last(calendar, a, b):
    low, high = min(a, b), max(a, b)
    span = [low + timedelta(days=n) for n in range((high - low).days + 1)]
    counted = [d for d in span if d != a and calendar.is_workday(d)]
    assert calendar.workdays_between(a, b) == (len(counted) if b >= a else -len(counted))


@given(calendar=calendars, d=near)
def test_neighbours(calendar, d):
    after, before = calendar.next_workday(d), calendar.previous_workday(d)
    assert before < d < after
    between = [before + timedelta(days=n) for n in range(1, (after - before).days) if before + timedelta(days=n) != d]
    assert not any(map(calendar.is_workday, between))


def test_overrides_win_over_the_week():
    saturday, monday = date(2017, 11, 4), date(2017, 11, 6)
    calendar = WorkCalendar(days={saturday: True, monday: False}, known_years=frozenset({2017}))
    assert calendar.is_workday(saturday)
    assert not calendar.is_workday(monday)
    assert calendar.is_workday(date(2017, 11, 3))
    assert not calendar.is_workday(date(2017, 11, 5))


def test_seeded_agrees_with_the_package_on_every_day_it_knows():
    d, different = date(2004, 1, 1), []
    while d.year <= 2026:
        if SEEDED.is_workday(d) != chinese_calendar.is_workday(d):
            different.append(d)
        d += timedelta(days=1)
    assert different == []
    assert SEEDED.known_years == frozenset(range(2004, 2027))


@pytest.mark.parametrize("year", [1949, 2003, 2027, 2100])
def test_years_without_notice_are_provisional_weekends(year):
    d = date(year, 1, 1)
    while d.year == year:
        assert SEEDED.is_provisional(d)
        assert SEEDED.is_workday(d) == (d.weekday() < 5)
        d += timedelta(days=1)


def test_a_single_override_does_not_make_a_year_known():
    calendar = WorkCalendar(days={date(2027, 1, 1): False}, known_years=frozenset({2026}))
    assert calendar.is_provisional(date(2027, 1, 1))
    assert not calendar.is_workday(date(2027, 1, 1))
    assert not calendar.is_provisional(date(2026, 12, 31))


def test_seeded_is_built_once():
    assert seeded_calendar() is SEEDED


def test_calendars_of_the_same_content_are_equal():
    again = WorkCalendar(days=SEEDED.days, known_years=SEEDED.known_years)
    assert again == SEEDED
    assert hash(again) == hash(SEEDED)
    assert BARE != SEEDED
    assert WorkCalendar(days={}, known_years=frozenset({2027})) != BARE
    assert BARE != "a calendar"


def test_a_calendar_does_not_change_with_what_it_was_built_from():
    monday = date(2017, 11, 6)
    overrides = {monday: False}
    calendar = WorkCalendar(days=overrides, known_years=frozenset({2017}))
    overrides[monday] = True
    calendar.days[monday] = True
    assert not calendar.is_workday(monday)


@pytest.mark.parametrize(
    "call",
    [
        lambda: SEEDED.is_workday(datetime(2017, 10, 2)),
        lambda: SEEDED.is_provisional(datetime(2017, 10, 2)),
        lambda: SEEDED.add_workdays(datetime(2017, 10, 2), 0),
        lambda: SEEDED.workdays_between(date(2017, 10, 2), datetime(2017, 10, 2)),
        lambda: SEEDED.workdays_between(datetime(2017, 10, 2), date(2017, 10, 2)),
        lambda: WorkCalendar(days={datetime(2017, 10, 2): False}, known_years=frozenset()),
        lambda: WorkCalendar(days={date(2017, 10, 2): 0}, known_years=frozenset()),
    ],
)
def test_instants_are_no_dates(call):
    """A datetime never equals the date of an override: 2 October 2017 would pass for a working day."""
    with pytest.raises(TypeError, match="2017"):
        call()
