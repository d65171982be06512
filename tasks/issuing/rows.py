"""Planned tasks as rows of the database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from django.db import connection
from django.utils import timezone

from deadlines.calendar import seeded_calendar
from deadlines.ladder import first_check
from deadlines.recurrence import due_at as last_instant
from schemes.models import Clause, Deadline, Indicator, Responsibility, SchemeVersion
from scoring.points import format_points
from tasks.models import TaskState
from tasks.planning import PlannedTask

TITLE_LIMIT = 300


def office_ids_of(version: SchemeVersion) -> dict[str, int]:
    """Name in the notice → office, as they were found at import (an office may have been renamed since)."""
    ids = {name: pk for group in version.groups for name, pk in zip(group["members"], group["offices"], strict=True)}
    printed = Responsibility.objects.filter(indicator__version=version).exclude(office=None)
    return ids | dict(printed.order_by().values_list("name", "office_id").distinct())


class Places:
    """The rows of the database that the places of a plan stand for."""

    def __init__(self, version: SchemeVersion) -> None:
        self.version = version

    @cached_property
    def indicators(self) -> dict[str, int]:
        return dict(Indicator.objects.filter(version=self.version).order_by().values_list("code", "id"))

    @cached_property
    def clauses(self) -> dict[tuple[str, int], int]:
        rows = Clause.objects.filter(indicator__version=self.version).order_by()
        return {(code, position): pk for code, position, pk in rows.values_list("indicator__code", "position", "id")}

    @cached_property
    def deadlines(self) -> dict[tuple[str, int | None, int], int]:
        rows = Deadline.objects.filter(indicator__version=self.version).order_by()
        columns = rows.values_list("indicator__code", "clause__position", "position", "id")
        return {(code, clause, position): pk for code, clause, position, pk in columns}


COLUMNS = (
    "key",
    "indicator_id",
    "clause_id",
    "deadline_id",
    "office_id",
    "role",
    "collected_by_id",
    "title",
    "quote",
    "period",
    "starts_on",
    "ends_on",
    "due_date",
    "due_at",
    "by_cycle",
    "due_before_issue",
    "points",
    "next_check_at",
)


def constants_of(version: SchemeVersion, at: datetime) -> dict[str, object]:
    """What all tasks of an issue have in common: handed to the database once, not with each row."""
    return {
        "version_id": version.pk,
        "assigned_extra": False,
        "state": TaskState.ISSUED.value,
        "revision": 0,
        "issued_at": at,
        "held_since": at,
    }


@dataclass(frozen=True)
class Moment:
    """A due date as the database takes it: its last instant, whether that has passed, the first look at it."""

    day: str
    due_at: str
    past: bool
    look: str | None


class Moments:
    """Due instants and first looks; a year has few distinct dates, ten thousand tasks share them."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.tz = timezone.get_default_timezone()
        self._known: dict[date, Moment] = {}

    def of(self, due: date) -> Moment:
        if due not in self._known:
            instant = last_instant(due, self.tz)
            look = first_check(due_at=instant, issued_at=self.at, calendar=seeded_calendar(), tz=self.tz)
            self._known[due] = Moment(
                day=due.isoformat(), due_at=_written(instant), past=instant < self.at, look=look and _written(look)
            )
        return self._known[due]


def _written(instant: datetime) -> str:
    return str(connection.ops.adapt_datetimefield_value(instant))


class Rows:
    """Planned tasks as rows of the database, in the order of COLUMNS."""

    def __init__(self, version: SchemeVersion, offices: Mapping[str, int], at: datetime) -> None:
        self.version_id = version.pk
        self.offices = offices
        self.places = Places(version)
        self.moments = Moments(at)

    def key(self, task: PlannedTask, *, office: str, role: str) -> str:
        """What makes a task the same task: version, place in the notice, office, role and period."""
        clause = "row" if task.clause_position is None else task.clause_position
        deadline = "cycle" if task.by_cycle else task.deadline_position
        return f"v{self.version_id}:{task.row}:{clause}:{deadline}:{self.offices[office]}:{role}:{task.period}"

    def key_of_collector(self, task: PlannedTask) -> str:
        return self.key(task, office=task.collector, role=Responsibility.Role.COLLECT.value)

    def of(self, task: PlannedTask, *, collected_by_id: int | None) -> tuple:
        moment = self.moments.of(task.due)
        clause, deadline = task.clause_position, task.deadline_position
        return (
            self.key(task, office=task.office, role=task.role),
            self.places.indicators[task.row],
            None if clause is None else self.places.clauses[task.row, clause],
            None if deadline is None else self.places.deadlines[task.row, clause, deadline],
            self.offices[task.office],
            task.role,
            collected_by_id,
            task.title[:TITLE_LIMIT],
            task.quote,
            task.period,
            task.starts.isoformat(),
            task.ends.isoformat(),
            moment.day,
            moment.due_at,
            task.by_cycle,
            moment.past,
            None if task.points is None else format_points(task.points),
            moment.look,
        )
