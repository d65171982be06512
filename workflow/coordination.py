"""What the coordination page draws: numbers with their lists, late rows, the heat map with its words."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.core.cache import cache
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.template.loader import get_template, render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import escape
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.grants import Scope
from accounts.models import Office
from deadlines.calendar import seeded_calendar
from deadlines.ladder import days_late
from schemes.models import Responsibility, SchemeVersion
from tasks import overview
from tasks.models import Task, TaskState
from tasks.overview import LATE_STEPS, HeatCell
from tasks.queries import COUNT_CAP, LISTED
from workflow.presenters.bars import state_html
from workflow.presenters.rows import task_url
from workflow.presenters.words import clause_words, period_words, points_words

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


@lru_cache(maxsize=32)
def _filter_html(parts: str, language: str) -> SafeString:
    return get_template("components/filter_bar.html").render(json.loads(parts))


def filter_html(**parts: object) -> SafeString:
    """The filter bar: with two hundred offices to choose from, drawn once and shown for hours."""
    return _filter_html(json.dumps(parts, ensure_ascii=False), get_language() or "")


class CappedPaginator(Paginator):
    """Pages of a list whose length is already known, to a cap: nobody turns to the fortieth page.

    A page is chosen by number and then loaded: joining first would sort whole rows of every late task.
    """

    def __init__(self, rows: QuerySet[Task], *, count: int):
        super().__init__(rows.values_list("pk", flat=True), PAGE_SIZE)
        self.known = min(count, COUNT_CAP + 1)

    @cached_property
    def count(self) -> int:
        return self.known


def tasks_of(page) -> list[Task]:
    """The tasks of a page, in its order."""
    ids = list(page.object_list)
    found = {task.pk: task for task in Task.objects.filter(pk__in=ids).for_lists().only(*LISTED)}
    return [found[pk] for pk in ids if pk in found]


@dataclass(frozen=True)
class LateRow:
    task: Task
    url: str
    clause: str
    period: str
    points: str
    due: str
    role: str
    state: str
    days: int
    note: str


def late_lines(tasks: list[Task], *, at: datetime) -> list[LateRow]:
    calendar, tz = seeded_calendar(), timezone.get_default_timezone()
    roles = dict(Responsibility.Role.choices)
    known: dict[datetime, int] = {}
    lines = []
    for task in tasks:
        if task.due_at not in known:
            known[task.due_at] = days_late(task.due_at, at, tz, calendar)
        lines.append(
            LateRow(
                task=task,
                url=task_url("workflow:task", task.pk),
                clause=clause_words(task),
                period=period_words(task.period),
                points=points_words(task.points),
                due=task.due_date.isoformat(),
                role=str(roles[task.role]),
                state=state_html(task.state),
                days=known[task.due_at],
                note=_("下达时已过期") if task.due_before_issue else "",
            )
        )
    return lines


# ------------------------------------------------------------------ the heat map


@dataclass(frozen=True)
class HeatRow:
    office: Office
    squares: list[SafeString]


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


WORST_FILTERS = {
    "late": "stage=late",
    "returned": f"state={TaskState.RETURNED.value}",
    "ahead": "stage=open",
    "waiting": "stage=waiting",
    "approved": f"state={TaskState.APPROVED.value}",
}
NO_TASKS = mark_safe('<td class="is-empty">·</td>')


def _square(cell: HeatCell | None, where: str, *, extra: str = "") -> SafeString:
    """A cell of the heat map: the worst in its shape and number, of how many. A year of two hundred offices has 2,600
    of them, so they are written here and not by a template."""
    if cell is None or not cell.total:
        return NO_TASKS
    worst = cell.worst
    shape, colour = SHAPES[worst]
    words = escape(_words(cell))
    rest = "" if cell.worst_count == cell.total else f'<a class="zs-of" href="{where}">/{cell.total}</a>'
    return mark_safe(  # noqa: S308  (numbers, addresses of ours and escaped words)
        f'<td class="is-{colour}{extra}" title="{words}"><a href="{where}&amp;{WORST_FILTERS[worst]}">'
        f'<span aria-hidden="true">{shape}</span>{cell.worst_count}<span class="visually-hidden">{words}</span></a>'
        f"{rest}</td>"
    )


def years_issued() -> list[int]:
    """The years that have an issued version, the newest first."""
    rows = SchemeVersion.objects.filter(status=SchemeVersion.Status.ISSUED).order_by("-year")
    return list(rows.values_list("year", flat=True).distinct()[:10])


def board_html(scope: Scope, *, year: int, years: list[int], at: datetime) -> SafeString:
    """The drawn board. What was counted in the last half minute will do, for whoever oversees the same offices."""
    office_ids = overseen(scope)
    digest = hashlib.sha256(repr(sorted(office_ids)).encode()).hexdigest()[:24]

    def draw() -> SafeString:
        context = {"board": board(scope, year=year, at=at), "years": years, "year": year, "steps": LATE_STEPS}
        return render_to_string("workflow/coordination_map.html", context)

    return mark_safe(cache.get_or_set(f"coordination:{get_language()}:{year}:{digest}", draw, CACHE_SECONDS))  # noqa: S308


def board(scope: Scope, *, year: int, at: datetime) -> Board:
    office_ids = overseen(scope)
    heat = overview.heat(office_ids, year=year, at=at)
    lateness = overview.late_by_office(office_ids, at=at)
    phantoms = overview.phantoms(office_ids, at=at)
    wanted = {*heat.cells, *(line.office_id for line in (*lateness, *phantoms))}
    offices = {office.pk: office for office in Office.objects.filter(pk__in=wanted).order_by("position", "id")}
    here, tasks = reverse("workflow:coordination"), reverse("workflow:tasks")
    rows = []
    for pk, office in offices.items():
        if (by_month := heat.cells.get(pk)) is None:
            continue
        squares = [_square(by_month.get(month), f"{tasks}?office={pk}&amp;month={month}") for month in heat.months]
        squares.append(_square(heat.total_of(pk), f"{tasks}?office={pk}", extra=" zs-heat-total"))
        rows.append(HeatRow(office=office, squares=squares))
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
                "office": offices[line.office_id],
                "reason": {
                    "nobody": _("没有在职人员,任务无人办理"),
                    "never_logged_in": _("在册人员从未登录过,任务没有人看到"),
                    "no_head": _("没有负责人,报送后无人确认"),
                }[line.reason],
                "grave": line.reason != "no_head",
                "open": line.open_tasks,
                "url": tasks_url(office=line.office_id, stage="open"),
            }
            for line in phantoms
            if line.office_id in offices
        ],
    )
