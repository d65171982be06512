"""The warning ladder of one task: which warning is given when, and to whom (docs/algorithms/deadlines.md).

Offsets are working days. No clock is read here: every instant is an argument. Instants are aware; local means `tz`.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import Literal

from deadlines.calendar import WorkCalendar

MORNING = time(9, 0)
FIRST_INSTANT_AFTER = timedelta(microseconds=1)
AUDIENCES = frozenset({"office", "head", "coordinator"})


@dataclass(frozen=True)
class Step:
    """One warning. `offset` in working days from the due date; `audience` are role names.

    `morning`: at 09:00 local of the shifted day. `deadline`: the first instant after the due instant.
    """

    code: str
    offset: int
    audience: tuple[str, ...]
    moment: Literal["morning", "deadline"] = "morning"

    def __post_init__(self) -> None:
        if self.moment not in ("morning", "deadline"):
            raise ValueError(f"{self.code}: moment is morning or deadline, not {self.moment!r}")
        if self.moment == "deadline" and self.offset:
            raise ValueError(f"{self.code}: the deadline itself cannot be shifted (offset {self.offset})")
        if not self.audience or not AUDIENCES.issuperset(self.audience):
            raise ValueError(f"{self.code}: audience is some of {sorted(AUDIENCES)}, not {self.audience!r}")


SOON_STEP = Step("before3", -3, ("office",))

DEFAULT_LADDER: tuple[Step, ...] = (
    SOON_STEP,
    Step("before1", -1, ("office",)),
    Step("due", 0, ("office",)),
    Step("overdue", 0, ("office", "coordinator"), "deadline"),
    Step("late3", 3, ("office", "head", "coordinator")),
    Step("late7", 7, ("office", "head", "coordinator")),
)


class Stage(StrEnum):
    """How near the deadline is. In order of urgency."""

    CLEAR = "clear"
    DUE_SOON = "due_soon"
    DUE_TODAY = "due_today"
    OVERDUE = "overdue"


STAGE_LABELS = {Stage.CLEAR: "正常", Stage.DUE_SOON: "临期", Stage.DUE_TODAY: "今日到期", Stage.OVERDUE: "逾期"}

Fired = tuple[Step, datetime]


# --- steps ------------------------------------------------------------------------------------------------------------


def step_at(step: Step, *, due_at: datetime, calendar: WorkCalendar, tz: tzinfo) -> datetime:
    """When the step fires. A warning in advance never fires after the due instant."""
    if step.moment == "deadline":
        # Added in UTC: wall-clock arithmetic would be an hour off in a zone that turns its clock at that instant.
        return (_utc(due_at) + FIRST_INSTANT_AFTER).astimezone(tz)
    day = calendar.add_workdays(_local_date(due_at, tz), step.offset)
    at = datetime.combine(day, MORNING, tzinfo=tz)
    # A task due at 08:00 is announced at 08:00, not an hour after it was missed.
    return min(at, due_at.astimezone(tz)) if step.offset <= 0 else at


def schedule(
    *, due_at: datetime, calendar: WorkCalendar, tz: tzinfo, ladder: tuple[Step, ...] = DEFAULT_LADDER
) -> tuple[Fired, ...]:
    """Every step with its instant, earliest first; steps of one instant keep the ladder's order."""
    return _schedule(_utc(due_at), calendar, tz, tuple(ladder))


@lru_cache(maxsize=4096)
def _schedule(due_at: datetime, calendar: WorkCalendar, tz: tzinfo, ladder: tuple[Step, ...]) -> tuple[Fired, ...]:
    # Ten thousand tasks of one scheme share a few dozen due instants.
    fired = [(step, step_at(step, due_at=due_at, calendar=calendar, tz=tz)) for step in ladder]
    return tuple(sorted(fired, key=lambda pair: pair[1]))


def next_step(
    *,
    due_at: datetime,
    after: datetime,
    calendar: WorkCalendar,
    tz: tzinfo,
    ladder: tuple[Step, ...] = DEFAULT_LADDER,
) -> Fired | None:
    """The first step strictly after that instant, or None when the ladder is used up."""
    after = _utc(after)
    return next(
        (pair for pair in schedule(due_at=due_at, calendar=calendar, tz=tz, ladder=ladder) if pair[1] > after), None
    )


def steps_between(
    *,
    due_at: datetime,
    after: datetime | None,
    until: datetime,
    calendar: WorkCalendar,
    tz: tzinfo,
    ladder: tuple[Step, ...] = DEFAULT_LADDER,
) -> tuple[Fired, ...]:
    """The steps with after < instant <= until, so that adjoining sweeps fire each step exactly once."""
    until = _utc(until)
    after = None if after is None else _utc(after)
    steps = schedule(due_at=due_at, calendar=calendar, tz=tz, ladder=ladder)
    return tuple(pair for pair in steps if pair[1] <= until and (after is None or pair[1] > after))


def first_check(
    *,
    due_at: datetime,
    issued_at: datetime,
    calendar: WorkCalendar,
    tz: tzinfo,
    ladder: tuple[Step, ...] = DEFAULT_LADDER,
) -> datetime | None:
    """The first instant at which a task issued then has to be looked at; None when every step lies behind it.

    Nine of the fourteen fixed dates of the Jiaxing notice precede its issue (L78 to L90, issued L25): their warnings
    would be about time nobody had, so steps up to the issue never fire.
    """
    found = next_step(due_at=due_at, after=issued_at, calendar=calendar, tz=tz, ladder=ladder)
    return found and found[1]


# --- stages -----------------------------------------------------------------------------------------------------------


def stage_at(*, due_at: datetime, now: datetime, calendar: WorkCalendar, tz: tzinfo) -> Stage:
    """How near the deadline is: overdue only after the due instant, so the whole due date is DUE_TODAY.

    DUE_TODAY begins at local midnight, before the morning's `due` warning; see `next_stage_change`.
    """
    reached = [stage for stage, begins in _stages(_utc(due_at), calendar, tz) if begins <= _utc(now)]
    return reached[-1] if reached else Stage.CLEAR


def next_stage_change(*, due_at: datetime, after: datetime, calendar: WorkCalendar, tz: tzinfo) -> datetime | None:
    """The first instant strictly after that one at which `stage_at` answers differently; None once overdue.

    For whoever stores the stage: midnight of the due date is a change of stage but no step of the ladder.
    """
    after = _utc(after)
    return next((begins for _, begins in _stages(_utc(due_at), calendar, tz) if begins > after), None)


@lru_cache(maxsize=4096)
def _stages(due_at: datetime, calendar: WorkCalendar, tz: tzinfo) -> tuple[tuple[Stage, datetime], ...]:
    """(stage, the instant it begins), in order; before the first of them all is clear."""
    return (
        (Stage.DUE_SOON, step_at(SOON_STEP, due_at=due_at, calendar=calendar, tz=tz)),
        (Stage.DUE_TODAY, datetime.combine(_local_date(due_at, tz), time.min, tzinfo=tz)),
        (Stage.OVERDUE, (due_at + FIRST_INSTANT_AFTER).astimezone(tz)),
    )


def days_late(due_at: datetime, now: datetime, tz: tzinfo, calendar: WorkCalendar) -> int:
    """Working days after the due date up to and with today; 0 if not late.

    Also 0 on the days of rest that follow the due date: overdue, but no working day has passed. 3 when `late3` fires.
    """
    if _utc(now) <= _utc(due_at):
        return 0
    return calendar.workdays_between(_local_date(due_at, tz), _local_date(now, tz))


def days_left(due_at: datetime, now: datetime, tz: tzinfo, calendar: WorkCalendar) -> int:
    """Working days after today up to and with the due date; 0 on the due date and when late."""
    if _utc(now) > _utc(due_at):
        return 0
    return calendar.workdays_between(_local_date(now, tz), _local_date(due_at, tz))


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None or instant.utcoffset() is None:
        # Read as local it would depend on the machine's time zone.
        raise ValueError(f"an aware instant expected, not {instant!r}")
    return instant.astimezone(UTC)


def _local_date(instant: datetime, tz: tzinfo) -> date:
    return _utc(instant).astimezone(tz).date()
