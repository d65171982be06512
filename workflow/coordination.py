"""What the coordination page draws: numbers with their lists, late rows, the heat map with its words."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from django.core.paginator import Paginator
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from accounts.grants import Scope
from accounts.models import Office
from deadlines.calendar import seeded_calendar
from deadlines.ladder import days_late
from schemes.models import SchemeVersion
from tasks import overview
from tasks.models import Task, TaskState
from tasks.overview import LATE_STEPS, HeatCell
from tasks.queries import COUNT_CAP
from workflow.presenters import clause_words, period_words, points_words, state_html

CACHE_SECONDS = 30
PAGE_SIZE = 25
# symbol, class of the cell
SHAPES = {
    "late": ("▲", "red"),
    "returned": ("↩", "amber"),
    "ahead": ("○", "none"),
    "waiting": ("◐", "blue"),
    "approved": ("✓", "green"),
    "none": ("", "none"),
}


def overseen(scope: Scope) -> frozenset[int]:
    """The offices this person coordinates, or signs for."""
    return scope.coordinate | scope.sign


def tasks_url(**params: object) -> str:
    return f"{reverse('workflow:tasks')}?{urlencode({name: value for name, value in params.items() if value})}"


@dataclass(frozen=True)
class Figure:
    label: str
    value: str
    url: str
    hint: str
    stage: str
    icon: str


def figures(counts: dict[str, str]) -> list[Figure]:
    """The six numbers; each opens its list."""
    return [
        Figure(
            _("逾期"),
            counts["late"],
            tasks_url(stage="late"),
            _("过了截止日期仍未报送"),
            "red",
            "exclamation-octagon-fill",
        ),
        Figure(
            _("三日内到期"),
            counts["soon"],
            tasks_url(stage="soon"),
            _("今天起三个工作日"),
            "amber",
            "exclamation-triangle-fill",
        ),
        Figure(
            _("未签收"),
            counts["unaccepted"],
            tasks_url(state=TaskState.ISSUED),
            _("已下达,处室还没有签收"),
            "",
            "inbox",
        ),
        Figure(
            _("待确认"),
            counts["confirming"],
            tasks_url(state=TaskState.CONFIRMING),
            _("在处室负责人处"),
            "",
            "person-check",
        ),
        Figure(_("待审核"), counts["reviewing"], tasks_url(state=TaskState.REVIEWING), _("在审核人处"), "", "eye"),
        Figure(
            _("已通过"), counts["approved"], tasks_url(state=TaskState.APPROVED), _("审核通过"), "green", "patch-check"
        ),
    ]


# ------------------------------------------------------------------ the late list


class CappedPaginator(Paginator):
    """Pages of a list whose length is already known, to a cap: nobody turns to the fortieth page."""

    def __init__(self, rows, *, count: int):
        super().__init__(rows, PAGE_SIZE)
        self.known = min(count, COUNT_CAP + 1)

    @cached_property
    def count(self) -> int:
        return self.known


@dataclass(frozen=True)
class LateRow:
    task: Task
    url: str
    clause: str
    period: str
    points: str
    role: str
    state: str
    days: int
    note: str


def late_lines(tasks: list[Task], *, at: datetime) -> list[LateRow]:
    calendar, tz = seeded_calendar(), timezone.get_default_timezone()
    known: dict[datetime, int] = {}
    lines = []
    for task in tasks:
        if task.due_at not in known:
            known[task.due_at] = days_late(task.due_at, at, tz, calendar)
        lines.append(
            LateRow(
                task=task,
                url=reverse("workflow:task", args=[task.pk]),
                clause=clause_words(task),
                period=period_words(task.period),
                points=points_words(task.points),
                role=task.get_role_display(),
                state=state_html(task.state),
                days=known[task.due_at],
                note=_("下达时已过期") if task.due_before_issue else "",
            )
        )
    return lines


# ------------------------------------------------------------------ the heat map


@dataclass(frozen=True)
class Square:
    """A cell of the heat map as it is drawn: a number in a shape, and how many of how many."""

    cell: HeatCell
    shape: str
    colour: str
    words: str
    url: str
    all_url: str
    all: bool


@dataclass(frozen=True)
class HeatRow:
    office: Office
    squares: list[Square | None]
    total: Square | None


@dataclass(frozen=True)
class Board:
    """Everything of the second, slower half of the page."""

    at: datetime
    year: int
    months: list[str]
    rows: list[HeatRow]
    lateness: list[dict]
    most_late: int
    phantoms: list[dict]


def _words(cell: HeatCell) -> str:
    parts = (
        (cell.late, _("逾期")),
        (cell.returned, _("退回")),
        (cell.ahead, _("未到期")),
        (cell.waiting, _("已报送待定")),
        (cell.approved, _("通过")),
        (cell.filed_late, _("其中逾期报送")),
    )
    return " ".join(f"{word}{n}" for n, word in parts if n)


def _worst_url(cell: HeatCell, office_id: int, month: str) -> str:
    filters = {
        "late": {"stage": "late"},
        "returned": {"state": TaskState.RETURNED},
        "ahead": {"stage": "open"},
        "waiting": {"stage": "waiting"},
        "approved": {"state": TaskState.APPROVED},
    }[cell.worst]
    return tasks_url(office=office_id, month=month, **filters)


def _square(cell: HeatCell | None, office_id: int, month: str) -> Square | None:
    if cell is None or not cell.total:
        return None
    shape, colour = SHAPES[cell.worst]
    return Square(
        cell=cell,
        shape=shape,
        colour=colour,
        words=_words(cell),
        url=_worst_url(cell, office_id, month),
        all_url=tasks_url(office=office_id, month=month),
        all=cell.worst_count == cell.total,
    )


def years_of(scope: Scope) -> list[int]:
    """The years that have an issued version, the newest first."""
    rows = SchemeVersion.objects.filter(status=SchemeVersion.Status.ISSUED).order_by("-year")
    return list(rows.values_list("year", flat=True).distinct()[:10])


def _remembered(name: str, office_ids: frozenset[int], make):
    """Counts of the last half minute will do, per set of offices."""
    digest = hashlib.sha256(repr(sorted(office_ids)).encode()).hexdigest()[:24]
    return cache.get_or_set(f"coordination:{name}:{digest}", make, CACHE_SECONDS)


def board(scope: Scope, *, year: int, at: datetime) -> Board:
    office_ids = overseen(scope)
    heat, lateness, phantoms = _remembered(
        f"board:{year}",
        office_ids,
        lambda: (
            overview.heat(office_ids, year=year, at=at),
            overview.late_by_office(office_ids, at=at),
            overview.phantoms(office_ids, at=at),
        ),
    )
    wanted = {*heat.cells, *(line.office_id for line in lateness)}
    offices = {office.pk: office for office in Office.objects.filter(pk__in=wanted).order_by("position", "id")}
    rows = [
        HeatRow(
            office=office,
            squares=[_square(heat.cells[pk].get(month), pk, month) for month in heat.months],
            total=_square(heat.total_of(pk), pk, ""),
        )
        for pk, office in offices.items()
        if pk in heat.cells
    ]
    here = reverse("workflow:coordination")
    return Board(
        at=heat.at,
        year=year,
        months=heat.months,
        rows=rows,
        lateness=[
            {
                "office": offices[line.office_id],
                "late": line.late,
                "steps": [
                    {"count": n, "url": f"{here}?{urlencode({'office': line.office_id, 'days': days})}#late"}
                    for days, n in zip(LATE_STEPS, line.steps, strict=True)
                ],
                "oldest": line.oldest_due,
                "url": f"{here}?{urlencode({'office': line.office_id})}#late",
            }
            for line in lateness
            if line.office_id in offices
        ],
        most_late=max((line.late for line in lateness), default=1),
        phantoms=[
            {
                "office": line.office,
                "reason": {
                    "nobody": _("没有在职人员,任务无人办理"),
                    "never_logged_in": _("在册人员从未登录过,任务没有人看到"),
                    "no_head": _("没有负责人,报送后无人确认"),
                }[line.reason],
                "grave": line.reason != "no_head",
                "open": line.open_tasks,
                "url": tasks_url(office=line.office.pk, stage="open"),
            }
            for line in phantoms
        ],
    )
