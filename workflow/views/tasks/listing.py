"""The list of tasks: the address is the view."""

import re
from dataclasses import dataclass, field
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.grants import Scope, scope_of
from accounts.models import Office
from schemes.models import Responsibility, SchemeVersion, Section
from tasks.models import Task, TaskState
from tasks.queries import in_stage
from workflow.forms import carried
from workflow.presenters.rows import rows_of
from workflow.presenters.words import period_words

PAGE_SIZE = 50
COUNTED = 10_000
MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")
STAGES = {
    "late": gettext_lazy("已逾期"),
    "today": gettext_lazy("今日到期"),
    "soon": gettext_lazy("三个工作日内到期"),
    "open": gettext_lazy("未报送"),
    "waiting": gettext_lazy("已报送待定"),
}


def _periods(years: list[int]) -> list[tuple[str, str]]:
    found = []
    for year in years:
        found.append(str(year))
        found += [f"{year}-H{n}" for n in (1, 2)] + [f"{year}-Q{n}" for n in (1, 2, 3, 4)]
        found += [f"{year}-{n:02}" for n in range(1, 13)]
    return [(value, period_words(value)) for value in found]


class CappedPaginator(Paginator):
    """Counts to a cap: the last page of a hundred thousand is nobody's business."""

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[:COUNTED].count()


@dataclass
class Filters:
    """The list's address, read: what is asked for, and the same as words and removable chips."""

    get: Any
    scope: Scope
    offices: list[Office]
    sections: list[Section]
    years: list[int]
    chips: list[dict[str, str]] = field(default_factory=list)

    def chosen(self, name: str) -> str:
        return self.get.get(name, "").strip()[:100]

    def without(self, name: str) -> str:
        rest = [(k, v) for k, values in self.get.lists() for v in values if k not in (name, "page") and v]
        return "?" + urlencode(rest)

    def _chip(self, name: str, label: str) -> None:
        self.chips.append({"label": label, "url": self.without(name)})

    def apply(self, rows: QuerySet, at) -> QuerySet:
        if self.chosen("mine"):
            rows = rows.filter(office_id__in=self.scope.member)
            self._chip("mine", _("本处室"))
        offices = {str(o.pk): o for o in self.offices}
        if office := offices.get(self.chosen("office")):
            rows = rows.filter(office=office)
            self._chip("office", office.name)
        if (state := self.chosen("state")) in TaskState.values:
            rows = rows.filter(state=state)
            self._chip("state", TaskState(state).label)
        stage = self.chosen("stage")
        if stage in STAGES:
            rows = in_stage(rows, stage, at=at)
            self._chip("stage", str(STAGES[stage]))
        sections = {str(s.pk): s for s in self.sections}
        if section := sections.get(self.chosen("section")):
            rows = rows.filter(indicator__section=section)
            self._chip("section", section.title)
        if (role := self.chosen("role")) in Responsibility.Role.values:
            rows = rows.filter(role=role)
            self._chip("role", str(Responsibility.Role(role).label))
        if period := self.chosen("period"):
            rows = rows.filter(period=period)
            self._chip("period", period_words(period))
        if month := MONTH.fullmatch(self.chosen("month")):
            rows = rows.filter(due_date__year=int(month[1]), due_date__month=int(month[2]))
            self._chip("month", _("{month}到期").format(month=period_words(month[0])))
        if (indicator := self.chosen("indicator")).isdigit():
            rows = rows.filter(indicator_id=int(indicator))
            self._chip("indicator", _("指标"))
        if words := self.chosen("q").replace("\x00", ""):
            rows = rows.filter(
                Q(title__icontains=words)
                | Q(quote__icontains=words)
                | Q(clause__text__icontains=words)
                | Q(indicator__code=words)
            )
            self._chip("q", f"“{words}”")
        return rows

    def fields(self) -> list[dict[str, Any]]:
        def select(name: str, label: str, options) -> dict[str, Any]:
            now = self.chosen(name)
            listed = [{"value": "", "label": _("全部"), "selected": not now}]
            listed += [{"value": v, "label": str(words), "selected": v == now} for v, words in options]
            return {"name": name, "label": label, "options": listed}

        found = [
            {
                "name": "q",
                "label": _("查找"),
                "type": "search",
                "value": self.chosen("q"),
                "placeholder": _("事项、原文或编号"),
            }
        ]
        if len(self.offices) > 1:
            found.append(select("office", _("责任部门"), [(str(o.pk), o.name) for o in self.offices]))
        found += [
            select("stage", _("期限"), list(STAGES.items())),
            select("state", _("状态"), TaskState.choices),
            select("section", _("考核大项"), [(str(s.pk), f"{s.no}、{s.title}"[:24]) for s in self.sections]),
            select("role", _("角色"), Responsibility.Role.choices),
            select("period", _("所属期"), _periods(self.years)),
        ]
        return found


def _address(name: str, **params: str) -> str:
    try:
        url = reverse(name)
    except NoReverseMatch:
        return ""
    return f"{url}?{urlencode(params)}" if params else url


@require_safe
def task_list(request: HttpRequest) -> HttpResponse:
    """Every task the person may see; the address is the view."""
    scope, at = scope_of(request.user), timezone.now()
    versions = list(SchemeVersion.objects.filter(status=SchemeVersion.Status.ISSUED).only("pk", "year").order_by("-pk"))
    filters = Filters(
        request.GET,
        scope,
        offices=list(Office.objects.filter(pk__in=scope.readable).order_by("position", "id")),
        sections=list(Section.objects.filter(version_id=versions[0].pk).order_by("position")) if versions else [],
        years=sorted({v.year for v in versions}, reverse=True)[:3],
    )
    rows = filters.apply(Task.objects.visible_to(scope), at)
    page = CappedPaginator(rows.for_lists().order_by("due_at", "id"), PAGE_SIZE).get_page(request.GET.get("page"))
    count = page.paginator.count
    export = _address("reports:tasks_xlsx")
    if export and request.GET:
        export += "?" + request.GET.urlencode()
    return render(
        request,
        "workflow/tasks_list.html",
        {
            "page_obj": page,
            "rows": rows_of(page.object_list, scope=scope, at=at),
            "fields": filters.fields(),
            "carried": carried(request.GET, ("mine", "month", "indicator")),
            "chips": filters.chips,
            "count": f"{COUNTED}+" if count >= COUNTED else count,
            "reset_url": reverse("workflow:tasks") if filters.chips else "",
            "export_url": export,
            "one_office": len(filters.offices) == 1,
        },
    )
