import os
import time
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deadlines import ladder
from deadlines.calendar import WorkCalendar, seeded_calendar
from deadlines.ladder import DEFAULT_LADDER, Stage, Step
from deadlines.recurrence import due_at as end_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
CALENDAR = seeded_calendar()
WHERE = {"calendar": CALENDAR, "tz": SHANGHAI}
DUE = end_of(date(2017, 9, 30), SHANGHAI)  # Jiaxing L76
MICROSECOND = timedelta(microseconds=1)

instants = st.datetimes(datetime(2016, 1, 1), datetime(2028, 1, 1), timezones=st.just(SHANGHAI))
ends = st.dates(date(2016, 1, 1), date(2028, 1, 1)).map(lambda day: end_of(day, SHANGHAI))
dues = instants | ends
gaps = st.timedeltas(timedelta(days=-30), timedelta(days=30))


def codes(steps):
    return [step.code for step, _ in steps]


def local(text):
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def test_who_is_told():
    assert {step.code: (step.offset, set(step.audience), step.moment) for step in DEFAULT_LADDER} == {
        "before3": (-3, {"office"}, "morning"),
        "before1": (-1, {"office"}, "morning"),
        "due": (0, {"office"}, "morning"),
        "overdue": (0, {"office", "coordinator"}, "deadline"),
        "late3": (3, {"office", "head", "coordinator"}, "morning"),
        "late7": (7, {"office", "head", "coordinator"}, "morning"),
    }


@given(due_at=dues)
def test_steps_come_in_order(due_at):
    found = ladder.schedule(due_at=due_at, **WHERE)
    assert codes(found) == [step.code for step in DEFAULT_LADDER]
    moments = [moment for _, moment in found]
    assert all(one <= other for one, other in pairwise(moments))
    assert all(moment.tzinfo is SHANGHAI for moment in moments)


@given(due_at=dues)
def test_warnings_in_advance_come_before_and_the_others_after(due_at):
    for step, moment in ladder.schedule(due_at=due_at, **WHERE):
        assert (moment <= due_at) == (step.code in {"before3", "before1", "due"})
        if step.code == "overdue":
            assert moment - due_at == MICROSECOND
        elif moment != due_at:
            assert (moment.hour, moment.minute, moment.second, moment.microsecond) == (9, 0, 0, 0)


@given(earlier=dues, gap=gaps)
def test_a_later_due_never_warns_earlier(earlier, gap):
    later = earlier + abs(gap)
    one, other = (ladder.schedule(due_at=due_at, **WHERE) for due_at in (earlier, later))
    assert all(a[1] <= b[1] for a, b in zip(one, other, strict=True))


@given(due_at=dues, gap=gaps)
def test_next_step_is_the_first_strictly_after(due_at, gap):
    after = due_at + gap
    found = ladder.next_step(due_at=due_at, after=after, **WHERE)
    behind = [pair for pair in ladder.schedule(due_at=due_at, **WHERE) if pair[1] <= after]
    if found is None:
        assert len(behind) == len(DEFAULT_LADDER)
    else:
        assert found == ladder.schedule(due_at=due_at, **WHERE)[len(behind)]


@given(due_at=dues)
def test_following_next_step_visits_every_instant_once(due_at):
    after, seen = due_at - timedelta(days=60), []
    while found := ladder.next_step(due_at=due_at, after=after, **WHERE):
        after = found[1]
        seen.append(after)
    assert seen == sorted({moment for _, moment in ladder.schedule(due_at=due_at, **WHERE)})


@given(due_at=dues, cuts=st.lists(gaps, max_size=8))
def test_adjoining_sweeps_fire_each_step_once(due_at, cuts):
    ticks = [due_at + cut for cut in sorted(cuts)] + [due_at + timedelta(days=60)]
    fired, after = [], None
    for until in ticks:
        fired += ladder.steps_between(due_at=due_at, after=after, until=until, **WHERE)
        after = until
    assert tuple(fired) == ladder.schedule(due_at=due_at, **WHERE)


def test_bounds_of_a_sweep():
    nine = local("2017-09-27 09:00")
    assert codes(ladder.steps_between(due_at=DUE, after=None, until=nine, **WHERE)) == ["before3"]
    assert codes(ladder.steps_between(due_at=DUE, after=None, until=nine - MICROSECOND, **WHERE)) == []
    assert codes(ladder.steps_between(due_at=DUE, after=nine, until=nine, **WHERE)) == []
    assert codes(ladder.steps_between(due_at=DUE, after=nine - MICROSECOND, until=nine, **WHERE)) == ["before3"]


def test_next_step_at_the_edges():
    nine = local("2017-09-27 09:00")
    assert ladder.next_step(due_at=DUE, after=nine - MICROSECOND, **WHERE)[0].code == "before3"
    assert ladder.next_step(due_at=DUE, after=nine, **WHERE)[0].code == "before1"
    assert ladder.next_step(due_at=DUE, after=DUE, **WHERE)[0].code == "overdue"
    assert ladder.next_step(due_at=DUE, after=local("2017-10-17 09:00"), **WHERE) is None


def test_overdue_is_one_microsecond_after_any_due_instant():
    due_at = local("2017-11-08 14:05:00")
    overdue = next(step for step in DEFAULT_LADDER if step.code == "overdue")
    assert ladder.step_at(overdue, due_at=due_at, **WHERE).isoformat() == "2017-11-08T14:05:00.000001+08:00"


# --- issue ------------------------------------------------------------------------------------------------------------


def test_steps_before_the_issue_never_fire():
    """Worked case 29: tasks due before the issue of 2017-09-13 are issued silently, the others warn from then on."""
    issued_at = local("2017-09-13 10:00")
    past = [end_of(date(2017, month, day), SHANGHAI) for month, day in ((3, 31), (4, 30), (5, 31), (6, 30), (8, 31))]
    assert [ladder.first_check(due_at=due_at, issued_at=issued_at, **WHERE) for due_at in past] == [None] * 5
    assert ladder.first_check(due_at=DUE, issued_at=issued_at, **WHERE) == local("2017-09-27 09:00")


def test_issue_within_the_ladder_goes_on_from_there():
    due_at = end_of(date(2017, 9, 12), SHANGHAI)  # one day before the issue: late3 and late7 are still to come
    issued_at = local("2017-09-13 10:00")
    assert ladder.first_check(due_at=due_at, issued_at=issued_at, **WHERE) == local("2017-09-15 09:00")
    assert ladder.first_check(due_at=DUE, issued_at=local("2017-09-27 09:00"), **WHERE) == local("2017-09-29 09:00")


@given(due_at=dues, gap=gaps)
def test_first_check_is_after_the_issue(due_at, gap):
    issued_at = due_at + gap
    found = ladder.first_check(due_at=due_at, issued_at=issued_at, **WHERE)
    if found is None:
        assert ladder.schedule(due_at=due_at, **WHERE)[-1][1] <= issued_at
    else:
        assert found > issued_at
        assert codes(ladder.steps_between(due_at=due_at, after=issued_at, until=found - MICROSECOND, **WHERE)) == []


# --- stages -----------------------------------------------------------------------------------------------------------


def test_stages_have_labels():
    assert ladder.STAGE_LABELS == {"clear": "正常", "due_soon": "临期", "due_today": "今日到期", "overdue": "逾期"}
    assert list(ladder.STAGE_LABELS) == list(Stage)
    assert isinstance(Stage.OVERDUE, str)


@given(due_at=dues, gap=gaps, more=gaps)
def test_stages_never_go_back(due_at, gap, more):
    now = due_at + gap
    order = list(Stage)
    one, other = (ladder.stage_at(due_at=due_at, now=at, **WHERE) for at in (now, now + abs(more)))
    assert order.index(one) <= order.index(other)


@given(due_at=dues, gap=gaps)
def test_stage_says_what_the_ladder_and_the_date_say(due_at, gap):
    now = due_at + gap
    stage = ladder.stage_at(due_at=due_at, now=now, **WHERE)
    fired = codes(ladder.steps_between(due_at=due_at, after=None, until=now, **WHERE))
    assert (stage == Stage.OVERDUE) == (now > due_at) == ("overdue" in fired)
    assert (stage == Stage.CLEAR) == ("before3" not in fired)
    assert (stage == Stage.DUE_TODAY) == (now <= due_at and now.date() == due_at.date())


@given(due_at=dues, gap=gaps)
def test_stage_changes_exactly_when_said(due_at, gap):
    now = due_at + gap
    stage = ladder.stage_at(due_at=due_at, now=now, **WHERE)
    changes = ladder.next_stage_change(due_at=due_at, after=now, **WHERE)
    if changes is None:
        assert stage == Stage.OVERDUE
    else:
        assert changes > now
        assert ladder.stage_at(due_at=due_at, now=changes - MICROSECOND, **WHERE) == stage
        assert ladder.stage_at(due_at=due_at, now=changes, **WHERE) != stage


@given(due_at=dues, gap=gaps)
def test_days_left_and_late_exclude_each_other(due_at, gap):
    now = due_at + gap
    left, late = (count(due_at, now, SHANGHAI, CALENDAR) for count in (ladder.days_left, ladder.days_late))
    assert left >= 0
    assert late >= 0
    assert left == 0 or now < due_at
    assert late == 0 or now > due_at


@given(due_at=dues)
def test_days_late_match_the_step_that_fires(due_at):
    for step, moment in ladder.schedule(due_at=due_at, **WHERE)[3:]:
        late = ladder.days_late(due_at, moment, SHANGHAI, CALENDAR)
        if step.code == "overdue":
            assert late == CALENDAR.is_workday(moment.date()) * (moment.date() > due_at.date())
        else:
            assert late == step.offset


# --- zones, calendars, ladders ----------------------------------------------------------------------------------------


@given(due_at=dues, hours=st.integers(-12, 14))
def test_only_the_instant_counts_not_its_spelling(due_at, hours):
    elsewhere = due_at.astimezone(timezone(timedelta(hours=hours)))
    assert ladder.schedule(due_at=elsewhere, **WHERE) == ladder.schedule(due_at=due_at, **WHERE)
    assert ladder.stage_at(due_at=due_at, now=elsewhere, **WHERE) == Stage.DUE_TODAY


def test_local_is_the_zone_that_is_passed():
    """The last instant of 30 September in Shanghai is 15:59 UTC of that day; in UTC the morning is 17:00 there."""
    found = {step.code: moment for step, moment in ladder.schedule(due_at=DUE, calendar=CALENDAR, tz=UTC)}
    assert found["due"] == datetime(2017, 9, 30, 9, tzinfo=UTC)
    assert found["overdue"] == datetime(2017, 9, 30, 16, tzinfo=UTC)


@pytest.mark.parametrize(("name", "year"), [("UTC", 2011), ("America/Los_Angeles", 2012), ("Pacific/Kiritimati", 2013)])
def test_the_zone_of_the_machine_does_not_matter(name, year):
    due_at = end_of(date(year, 7, 14), SHANGHAI)  # a year each: a schedule computed before would hide the zone
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        found = ladder.schedule(due_at=due_at, **WHERE)
        stage = ladder.stage_at(due_at=due_at, now=local(f"{year}-07-14 00:00"), **WHERE)
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()
    assert found[2][1].timestamp() == datetime(year, 7, 14, 1, tzinfo=UTC).timestamp()
    assert found[3][1].timestamp() == datetime(year, 7, 14, 16, tzinfo=UTC).timestamp()
    assert stage == Stage.DUE_TODAY


def test_provisional_years_have_warnings():
    found = ladder.schedule(due_at=end_of(date(2027, 10, 5), SHANGHAI), **WHERE)
    assert found[0][1] == local("2027-09-30 09:00")


def test_another_calendar_gives_another_schedule():
    bare = WorkCalendar(days={}, known_years=frozenset())
    assert ladder.schedule(due_at=DUE, calendar=bare, tz=SHANGHAI)[-1][1] == local("2017-10-10 09:00")
    assert ladder.schedule(due_at=DUE, **WHERE)[-1][1] == local("2017-10-17 09:00")


def test_equal_calendars_share_the_computed_schedule():
    again = WorkCalendar(days=CALENDAR.days, known_years=CALENDAR.known_years)
    one = ladder.schedule(due_at=DUE, **WHERE)
    assert ladder.schedule(due_at=DUE, calendar=again, tz=SHANGHAI) is one


def test_a_ladder_of_ones_own():
    steps = [Step("late1", 1, ("head",)), Step("before5", -5, ("office",))]
    found = ladder.schedule(due_at=DUE, ladder=steps, **WHERE)
    assert [(step.code, moment) for step, moment in found] == [
        ("before5", local("2017-09-25 09:00")),
        ("late1", local("2017-10-09 09:00")),
    ]
    assert ladder.next_step(due_at=DUE, after=DUE, ladder=steps, **WHERE)[0].code == "late1"
    assert codes(ladder.steps_between(due_at=DUE, after=None, until=DUE, ladder=steps, **WHERE)) == ["before5"]
    issued_at = local("2017-10-01 00:00")
    assert ladder.first_check(due_at=DUE, issued_at=issued_at, ladder=steps, **WHERE) == local("2017-10-09 09:00")
    assert ladder.schedule(due_at=DUE, ladder=(), **WHERE) == ()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (("x", 0, ("office",), "evening"), "morning or deadline"),
        (("x", 1, ("office",), "deadline"), "cannot be shifted"),
        (("x", 1, ("boss",)), "boss"),
        (("x", 1, ()), "audience"),
    ],
)
def test_steps_that_mean_nothing_are_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        Step(*fields)


@pytest.mark.parametrize(
    "call",
    [
        lambda naive: ladder.schedule(due_at=naive, **WHERE),
        lambda naive: ladder.step_at(DEFAULT_LADDER[0], due_at=naive, **WHERE),
        lambda naive: ladder.next_step(due_at=DUE, after=naive, **WHERE),
        lambda naive: ladder.steps_between(due_at=DUE, after=None, until=naive, **WHERE),
        lambda naive: ladder.steps_between(due_at=DUE, after=naive, until=DUE, **WHERE),
        lambda naive: ladder.first_check(due_at=DUE, issued_at=naive, **WHERE),
        lambda naive: ladder.stage_at(due_at=DUE, now=naive, **WHERE),
        lambda naive: ladder.next_stage_change(due_at=DUE, after=naive, **WHERE),
        lambda naive: ladder.days_late(DUE, naive, SHANGHAI, CALENDAR),
        lambda naive: ladder.days_left(DUE, naive, SHANGHAI, CALENDAR),
    ],
)
def test_naive_instants_are_refused(call):
    with pytest.raises(ValueError, match="aware"):
        call(datetime(2017, 9, 30, 12))
