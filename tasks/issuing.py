"""Issuing a notice: what it would give to whom (preview), the tasks (issue), and an extra matter (临时交办)."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.errors import BadInput
from accounts.grants import fresh_scope, members, require
from accounts.models import Office
from audit.operations import record
from deadlines.calendar import seeded_calendar
from deadlines.ladder import first_check
from deadlines.recurrence import due_at as last_instant
from notifications.operations import Message, notify
from notifications.rows import insert_missing
from schemes.document import Document
from schemes.errors import AlreadyIssued
from schemes.models import Clause, Deadline, Indicator, Responsibility, SchemeVersion
from schemes.queries import load_document
from scoring.points import format_points
from tasks.models import Task, TaskState
from tasks.planning import PlannedTask, plan

TITLE_LIMIT = 300

__all__ = ["IssueResult", "Preview", "PreviewWarning", "assign_extra", "issue", "plan", "preview"]


# --- preview ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PreviewWarning:
    """Something to know before issuing. `office` names the office it is about, if any."""

    kind: str  # nobody, no_head, retired, past, inherited, doubts, cycle
    message: str
    office: str = ""

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Preview:
    """What issuing would do. `already_past`: due before the instant of issue; `without_person`: nobody would see it."""

    offices: dict[str, int]
    tasks: list[PlannedTask]
    warnings: list[PreviewWarning]
    already_past: list[PlannedTask]
    without_person: list[PlannedTask]

    @property
    def before_issue(self) -> int:
        return len(self.already_past)

    def __str__(self) -> str:
        return f"{len(self.offices)}个处室,{len(self.tasks)}项任务,{len(self.warnings)}条提醒"


def preview(*, version: SchemeVersion, at: datetime) -> Preview:
    """What issuing at that instant would make, and what should be looked at first. Changes nothing."""
    document = load_document(version)
    planned = plan(document)
    offices = _office_ids(version)
    tz = timezone.get_default_timezone()
    today = timezone.localdate(at, tz)
    past = [task for task in planned if last_instant(task.due, tz) < at]
    counts = Counter(task.office for task in planned)
    used = {name: offices[name] for name in counts}
    people = members(office_ids=set(used.values()), on=today)
    empty = {name for name, pk in used.items() if not people[pk]}
    return Preview(
        offices=dict(counts),
        tasks=planned,
        warnings=list(_warnings(document, planned, used=used, empty=empty, past=past, today=today)),
        already_past=past,
        without_person=[task for task in planned if task.office in empty],
    )


def _warnings(
    document: Document,
    planned: Sequence[PlannedTask],
    *,
    used: Mapping[str, int],
    empty: set[str],
    past: Sequence[PlannedTask],
    today: date,
) -> Iterator[PreviewWarning]:
    counts = Counter(task.office for task in planned)
    active = set(Office.objects.active_on(today).filter(id__in=used.values()).values_list("id", flat=True))
    for name in used:
        if used[name] not in active:
            yield PreviewWarning(
                "retired", _("{name}已撤销或尚未设立,{n}项任务没有去处").format(name=name, n=counts[name]), name
            )
        if name in empty:
            yield PreviewWarning(
                "nobody", _("{name}没有在职人员,{n}项任务无人办理").format(name=name, n=counts[name]), name
            )
    if document.settings.get("head_confirmation"):
        heads = members(office_ids=set(used.values()), on=today, heads_only=True)
        for name, pk in used.items():
            if not heads[pk] and name not in empty:
                yield PreviewWarning("no_head", _("{name}没有负责人,报送后无人确认").format(name=name), name)
    yield from _past(past)
    inherited = [row.code for row in document.rows if any(office.inherited for office in row.offices)]
    if inherited:
        words = _("{n}行没有印责任部门,按合并单元格推定:{rows}")
        yield PreviewWarning("inherited", words.format(n=len(inherited), rows=_("、").join(inherited)))
    by_cycle = len({task.place for task in planned if task.by_cycle})
    if by_cycle:
        words = _("{n}项原文没有报送日期,按方案申报周期:{reading}")
        yield PreviewWarning("cycle", words.format(n=by_cycle, reading=document.reporting_cycle["reading"]))
    if document.doubts:
        yield PreviewWarning("doubts", _("原文有{n}处存疑,下达即按所选读法执行").format(n=len(document.doubts)))


def _past(past: Sequence[PlannedTask]) -> Iterator[PreviewWarning]:
    """One line per deadline of the notice, however many offices and periods it has."""
    dues: dict[tuple, set[date]] = {}
    named: dict[tuple, PlannedTask] = {}
    for task in past:
        place = task.row, task.clause_position, task.deadline_position
        dues.setdefault(place, set()).add(task.due)
        named[place] = task
    for place, task in named.items():
        last, count = max(dues[place]), len(dues[place])
        words = (
            _("{place}“{title}”已有{n}期截止(最近{day}),下达时已过期")
            if count > 1
            else _("{place}“{title}”{day}截止,下达时已过期")
        )
        where = f"{task.row}/{task.clause}" if task.clause else task.row
        yield PreviewWarning("past", words.format(place=where, title=task.title, n=count, day=f"{last:%Y-%m-%d}"))


def _office_ids(version: SchemeVersion) -> dict[str, int]:
    """Name in the notice → office, as they were found at import (an office may have been renamed since)."""
    ids = {name: pk for group in version.groups for name, pk in zip(group["members"], group["offices"], strict=True)}
    printed = Responsibility.objects.filter(indicator__version=version).exclude(office=None)
    return ids | dict(printed.order_by().values_list("name", "office_id").distinct())


# --- issue ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class IssueResult:
    """How many tasks were made now, and how many there were already."""

    created: int
    existing: int


def issue(*, version: SchemeVersion, actor: Actor, at: datetime) -> IssueResult:
    """Make the tasks of a version and tell each office once. Repeated, or clicked twice, it makes nothing more.

    Needs the coordinating power over the unit and over every office that gets tasks. Only one version of a scheme and
    year can be in force.
    """
    with transaction.atomic():
        locked = SchemeVersion.objects.select_for_update().get(pk=version.pk)
        reach = None if actor.is_system else fresh_scope(actor.user).coordinate
        require(reach is None or locked.unit_id in reach)
        if locked.status == SchemeVersion.Status.ISSUED:
            return IssueResult(created=0, existing=_planned(locked).count())
        _require_only_one(locked)
        document = load_document(locked)
        offices = _office_ids(locked)
        planned = plan(document)
        used = {offices[task.office] for task in planned}
        require(reach is None or used <= reach)
        created = _create(planned, version=locked, offices=offices, at=at)
        locked.status, locked.issued_at = SchemeVersion.Status.ISSUED, at
        locked.save(update_fields=["status", "issued_at"])
        counts = Counter(offices[task.office] for task in planned)
        record(
            actor=actor,
            at=at,
            verb="scheme.issued",
            subject=locked,
            office_id=locked.unit_id,
            detail={
                "title": locked.title,
                "offices": len(counts),
                "tasks": len(created),
                "digest": locked.digest,
                "keys": hashlib.sha256("\n".join(sorted(created)).encode()).hexdigest(),
            },
        )
        _tell(locked, counts=counts, at=at)
    version.status, version.issued_at = locked.status, locked.issued_at
    return IssueResult(created=len(created), existing=len(planned) - len(created))


def _planned(version: SchemeVersion):
    return Task.objects.filter(version=version, assigned_extra=False)


def _require_only_one(version: SchemeVersion) -> None:
    other = (
        SchemeVersion.objects.filter(scheme=version.scheme_id, year=version.year, status=SchemeVersion.Status.ISSUED)
        .exclude(pk=version.pk)
        .first()
    )
    if other is not None:
        raise AlreadyIssued(year=other.year, number=other.number)


class _Places:
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
    "version_id",
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
    "assigned_extra",
    "due_before_issue",
    "points",
    "state",
    "revision",
    "issued_at",
    "held_since",
    "next_check_at",
)


def _create(
    planned: Sequence[PlannedTask], *, version: SchemeVersion, offices: Mapping[str, int], at: datetime
) -> list[str]:
    """Insert what is not there yet, the collecting tasks before those that are linked to them. Returns the new keys."""
    rows = _Rows(version, offices, at)
    first = [rows.of(task, collected_by_id=None) for task in planned if task.collector is None]
    created = [key for (key,) in insert_missing(Task, columns=COLUMNS, rows=first, returning=("key",))]
    linked = [task for task in planned if task.collector is not None]
    if linked:
        collecting = _planned(version).filter(role=Responsibility.Role.COLLECT).order_by()
        ids = dict(collecting.values_list("key", "id"))
        second = [rows.of(task, collected_by_id=ids.get(rows.key_of_collector(task))) for task in linked]
        created += [key for (key,) in insert_missing(Task, columns=COLUMNS, rows=second, returning=("key",))]
    return created


class _Moments:
    """Due instants and first looks; a year has few distinct dates, ten thousand tasks share them."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.tz = timezone.get_default_timezone()
        self._known: dict[date, tuple[datetime, datetime | None]] = {}

    def of(self, due: date) -> tuple[datetime, datetime | None]:
        if due not in self._known:
            instant = last_instant(due, self.tz)
            look = first_check(due_at=instant, issued_at=self.at, calendar=seeded_calendar(), tz=self.tz)
            self._known[due] = instant, look
        return self._known[due]


class _Rows:
    """Planned tasks as rows of the database, in the order of COLUMNS."""

    def __init__(self, version: SchemeVersion, offices: Mapping[str, int], at: datetime) -> None:
        self.version_id = version.pk
        self.offices = offices
        self.places = _Places(version)
        self.moments = _Moments(at)

    def key(self, task: PlannedTask, *, office: str, role: str) -> str:
        """What makes a task the same task: version, place in the notice, office, role and period."""
        clause = "row" if task.clause_position is None else task.clause_position
        deadline = "cycle" if task.by_cycle else task.deadline_position
        return f"v{self.version_id}:{task.row}:{clause}:{deadline}:{self.offices[office]}:{role}:{task.period}"

    def key_of_collector(self, task: PlannedTask) -> str:
        return self.key(task, office=task.collector, role=Responsibility.Role.COLLECT.value)

    def of(self, task: PlannedTask, *, collected_by_id: int | None) -> tuple:
        instant, look = self.moments.of(task.due)
        clause, deadline, at = task.clause_position, task.deadline_position, self.moments.at
        return (
            self.key(task, office=task.office, role=task.role),
            self.version_id,
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
            task.due.isoformat(),
            instant,
            task.by_cycle,
            False,
            instant < at,
            None if task.points is None else format_points(task.points),
            TaskState.ISSUED.value,
            0,
            at,
            at,
            look,
        )


def _tell(version: SchemeVersion, *, counts: Mapping[int, int], at: datetime) -> None:
    people = members(office_ids=set(counts), on=timezone.localdate(at))
    notify(
        messages=[
            Message(
                key=f"issued:v{version.pk}:{office_id}",
                kind="scheme.issued",
                title=f"已下达{count}项任务,请签收",
                body=version.title,
                url="/",
                recipients=frozenset(people[office_id]),
            )
            for office_id, count in counts.items()
        ],
        at=at,
    )


# --- an extra matter --------------------------------------------------------------------------------------------------


def assign_extra(
    *,
    version: SchemeVersion,
    indicator: Indicator,
    office: Office,
    title: str,
    due_at: datetime,
    actor: Actor,
    at: datetime,
    quote: str = "",
) -> Task:
    """临时交办: one task for one office under a row of an issued notice, due at an exact instant.

    The same matter, office and instant again (a double click) returns the task that exists. `quote`: the words of the
    order; default the title.
    """
    require(actor.is_system or office.pk in fresh_scope(actor.user).coordinate)
    title = " ".join(title.split())
    _check_extra(version=version, indicator=indicator, office=office, title=title, due_at=due_at, at=at)
    words = hashlib.sha256(f"{title}\n{due_at.timestamp()}".encode()).hexdigest()[:16]
    key = f"extra:v{version.pk}:{indicator.code}:{office.pk}:{words}"
    day = timezone.localdate(due_at)
    with transaction.atomic():
        # the version's row makes two clicks wait for each other
        locked = SchemeVersion.objects.select_for_update().get(pk=version.pk)
        if locked.status != SchemeVersion.Status.ISSUED:
            raise BadInput({"version": [_("方案还没有下达,请先下达方案再交办事项")]})
        if (existing := Task.objects.filter(key=key).first()) is not None:
            return existing
        task = Task.objects.create(
            key=key,
            version=locked,
            indicator=indicator,
            office=office,
            role=Responsibility.Role.RESPONSIBLE,
            title=title,
            quote=quote.strip() or title,
            period=f"{day:%Y-%m-%d}",
            starts_on=min(timezone.localdate(at), day),
            ends_on=day,
            due_date=day,
            due_at=due_at,
            assigned_extra=True,
            state=TaskState.ISSUED,
            issued_at=at,
            held_since=at,
            next_check_at=first_check(
                due_at=due_at, issued_at=at, calendar=seeded_calendar(), tz=timezone.get_default_timezone()
            ),
        )
        record(
            actor=actor,
            at=at,
            verb="task.assigned",
            subject=task,
            office_id=office.pk,
            detail={"title": title, "row": indicator.code, "due_at": due_at.isoformat()},
        )
        people = members(office_ids={office.pk}, on=timezone.localdate(at))[office.pk]
        message = Message(
            key=f"assigned:{task.pk}",
            kind="task.assigned",
            title=f"临时交办:{title}",
            body=indicator.title,
            url=f"/work/tasks/{task.pk}/",
            recipients=frozenset(people),
        )
        notify(messages=[message], at=at)
    return task


def _check_extra(
    *, version: SchemeVersion, indicator: Indicator, office: Office, title: str, due_at: datetime, at: datetime
) -> None:
    problems: dict[str, list[str]] = {}
    if not title:
        problems["title"] = [_("请填写交办事项")]
    elif len(title) > TITLE_LIMIT:
        problems["title"] = [_("事项过长,最多{limit}字").format(limit=TITLE_LIMIT)]
    if timezone.is_naive(due_at):
        raise ValueError("due_at must be aware")
    if due_at <= at:
        problems["due_at"] = [_("截止时间须晚于现在")]
    if indicator.version_id != version.pk:
        problems["indicator"] = [_("所选指标不属于这一版方案")]
    if not Office.objects.active_on(timezone.localdate(at)).filter(pk=office.pk).exists():
        problems["office"] = [_("所选处室已撤销或尚未设立")]
    if problems:
        raise BadInput(problems)
