"""下达: what it would give to whom, the button, and what came of it."""

from collections import Counter
from itertools import groupby

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.errors import NotVisible, Refusal
from accounts.grants import Scope, scope_of
from schemes.layout import ROLE_WORDS
from schemes.models import SchemeVersion
from tasks import issuing
from tasks.issuing import Preview
from tasks.models import Task, TaskState

WARNING_WORDS = {
    "nobody": gettext_lazy("没有人办理"),
    "retired": gettext_lazy("处室已撤销"),
    "no_head": gettext_lazy("没有负责人"),
    "past": gettext_lazy("下达时已过期"),
    "inherited": gettext_lazy("部门由合并单元格推定"),
    "cycle": gettext_lazy("没有印报送日期"),
    "doubts": gettext_lazy("原文存疑"),
}
GRAVE = ("nobody", "retired", "no_head")


def _version(request: HttpRequest, version_id: int) -> tuple[Scope, SchemeVersion]:
    scope = scope_of(request.user)
    if not scope.coordinate:
        raise NotVisible()
    version = SchemeVersion.objects.select_related("scheme", "unit").filter(pk=version_id).first()
    if version is None or (version.unit_id is not None and version.unit_id not in scope.coordinate):
        raise NotVisible()
    return scope, version


@require_http_methods(["GET", "HEAD", "POST"])
def issue(request: HttpRequest, version_id: int) -> HttpResponse:
    _scope, version = _version(request, version_id)
    at, refusal, status = timezone.now(), None, 200
    if request.method == "POST":
        try:
            result = issuing.issue(version=version, actor=actor_of(request), at=at)
        except Refusal as problem:
            refusal, status = problem, problem.status
        else:
            if result.created:
                messages.success(request, _("已下达 {n} 项任务,各处室已收到通知。").format(n=result.created))
            else:
                messages.info(request, _("这一版先前已经下达,没有重复下达;共有任务 {n} 项。").format(n=result.existing))
            return redirect("workflow:issue", version.pk)
    context = {
        "edition": version,
        "refusal": refusal,
        "version_url": reverse("schemes:version", args=[version.scheme.key, version.year, version.number]),
        "crumbs": [
            {"label": _("责任分解"), "url": reverse("schemes:list")},
            {
                "label": _("{year}年度第{number}版").format(year=version.year, number=version.number),
                "url": reverse("schemes:version", args=[version.scheme.key, version.year, version.number]),
            },
            {"label": _("下达")},
        ],
    }
    if version.status == SchemeVersion.Status.ISSUED:
        return render(request, "workflow/issue_result.html", context | _result(version), status=status)
    return render(
        request, "workflow/issue.html", context | _preview(issuing.preview(version=version, at=at), at), status=status
    )


def _preview(preview: Preview, at) -> dict:
    by_office: dict[str, Counter] = {}
    months: Counter = Counter()
    for task in preview.tasks:
        by_office.setdefault(task.office, Counter())[task.role] += 1
        months[task.office, f"{task.due:%Y-%m}"] += 1
    columns = sorted({month for _office, month in months})
    roles = [role for role in ROLE_WORDS if any(role in counts for counts in by_office.values())]
    warnings = [
        {"kind": kind, "word": str(WARNING_WORDS.get(kind, kind)), "grave": kind in GRAVE, "items": list(items)}
        for kind, items in groupby(
            sorted(preview.warnings, key=lambda item: _order(item.kind)), key=lambda item: item.kind
        )
    ]
    return {
        "preview": preview,
        "roles": [(role, str(ROLE_WORDS[role])) for role in roles],
        "office_rows": [
            {
                "name": name,
                "total": sum(counts.values()),
                "roles": [counts[role] for role in roles],
                "months": [months[name, month] for month in columns],
            }
            for name, counts in by_office.items()
        ],
        "months": columns,
        "month_totals": [sum(months[name, month] for name in by_office) for month in columns],
        "role_totals": [sum(counts[role] for counts in by_office.values()) for role in roles],
        "warnings": warnings,
        "grave": sum(len(group["items"]) for group in warnings if group["grave"]),
        "by_cycle": sum(task.by_cycle for task in preview.tasks),
        "today": timezone.localdate(at),
    }


def _order(kind: str) -> int:
    kinds = list(WARNING_WORDS)
    return kinds.index(kind) if kind in kinds else len(kinds)


def _result(version: SchemeVersion) -> dict:
    rows = list(
        Task.objects.filter(version=version)
        .order_by("office__position", "office_id")
        .values("office_id", "office__name", "office__position")
        .annotate(
            n=Count("id"),
            extra=Count("id", filter=Q(assigned_extra=True)),
            unaccepted=Count("id", filter=Q(state=TaskState.ISSUED)),
            approved=Count("id", filter=Q(state=TaskState.APPROVED)),
            past=Count("id", filter=Q(due_before_issue=True)),
        )
    )
    names = ("n", "extra", "unaccepted", "approved", "past")
    return {"rows": rows, "total": {name: sum(row[name] for row in rows) for name in names}}


urlpatterns = [path("issue/<int:version_id>/", issue, name="issue")]
