"""One task with its steps, for whoever looks, in whatever state it is."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import actor_of
from accounts.errors import BadInput, Refusal
from accounts.grants import Scope, scope_of
from assessments.queries import Attempts, attempts_of
from audit.queries import history_of
from schemes.models import Responsibility
from tasks.files import accepted_extensions
from tasks.forms import Typed
from tasks.models import EDITABLE, Task, TaskState
from tasks.presenters import file_of
from tasks.queries import get_visible
from workflow import operations as steps
from workflow.forms import ReportForm
from workflow.presenters.bars import due_bar
from workflow.presenters.course import standing, timeline
from workflow.presenters.filing import checklist, filed_of, marks_for_draft, measures_of, target_words
from workflow.views.tasks.parts import linked_of, people_of, rule_context, score_url_of


def form_context(
    task: Task, attempts: Attempts, at: datetime, *, typed: Typed | None = None, problems: dict | None = None
) -> dict[str, Any]:
    """The middle column while the office has the task: the form with the draft, or with what was just typed."""
    draft = attempts.draft
    text = typed.text if typed else (draft.text if draft else "")
    values = typed.values if typed else (draft.values if draft else {})
    form = ReportForm(task, text=text, values=values, base=draft.saved_at if draft else at, problems=problems)
    measures = measures_of(task, values)
    returned = attempts.returned if task.state == TaskState.RETURNED else None
    marks = marks_for_draft(returned.marks, attempts.last, draft) if returned else {}
    files = list(draft.evidence.all()) if draft else []
    names = {e.pk: e.name for e in files}
    marked = [f"{target_words(target, names)}:{note}" for target, note in marks.items()]
    return {
        "form": form,
        "draft": draft,
        "measures": [
            {"m": m, "field": form[f"v{m.index}"], "mark": marks.get(f"value:{m.name}", "")} for m in measures
        ],
        "text_mark": marks.get("text", ""),
        "files": [file_of(e, removable=True, problem=marks.get(f"evidence:{e.pk}", "")) for e in files],
        "checks": checklist(task, text=text, measures=measures, files=len(files), at=at, marks=marked),
        "lines": [m for m in measures if m.drawn],
        "returned": returned,
        "accept": ",".join(f".{name}" for name in accepted_extensions()),
        "max_bytes": settings.EVIDENCE_MAX_BYTES,
        "max_mb": settings.EVIDENCE_MAX_BYTES // 1048576,
    }


def task_page(
    request: HttpRequest,
    task: Task,
    scope: Scope,
    at: datetime,
    *,
    typed: Typed | None = None,
    problems: dict | None = None,
    decision=None,
    refusal: Refusal | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of one task, for whoever looks, in whatever state it is."""
    member, head = task.office_id in scope.member, task.office_id in scope.head
    attempts = attempts_of(task)
    now = standing(task, at=at, people=people_of(task, at))
    fills_in = member and task.state in EDITABLE
    context = {
        "task": task,
        "now": now,
        "bar": due_bar(task, at),
        "member": member,
        "can_accept": member and task.state == TaskState.ISSUED,
        "can_fill": fills_in,
        "can_confirm": head
        and task.state == TaskState.CONFIRMING
        and attempts.last is not None
        and attempts.last.submitted_by_id != request.user.pk,
        "can_review": task.state == TaskState.REVIEWING and task.office_id in scope.review and not member,
        "filed": list(reversed([filed_of(task, s, attempts.reviews.get(s.pk, [])) for s in attempts.submitted])),
        "collector": task.collected_by,
        "collector_url": reverse("workflow:task", args=[task.collected_by_id])
        if task.collected_by_id and task.collected_by.office_id in scope.readable
        else "",
        "linked": linked_of(task, scope) if task.role == Responsibility.Role.COLLECT else [],
        "timeline": timeline(task, history=history_of(task), warnings=task.warnings.all(), at=at, now=now),
        "refusal": refusal,
        # typed, but there is no form any more to type into: shown, so that nothing is lost
        "kept": typed if typed and not fills_in and (typed.text or any(typed.values.values())) else None,
        "decision": decision,
        "problems": problems or {},
        "title": task.title,
    } | rule_context(task)
    context["score_url"] = score_url_of(task, scope)
    context["linked_missing"] = sum(1 for item in context["linked"] if not item["filed"])
    if fills_in:
        context |= form_context(task, attempts, at, typed=typed, problems=problems)
    return render(request, "workflow/task.html", context, status=status)


def refused(
    page: Callable[..., HttpResponse],
    request: HttpRequest,
    task: Task,
    scope: Scope,
    at: datetime,
    refusal: Refusal,
    **typed: Any,
) -> HttpResponse:
    """The page once more, with what was typed and why it was refused. A task that is gone is not shown."""
    if isinstance(refusal, BadInput):
        return page(request, task, scope, at, problems=refusal.problems, status=400, **typed)
    if refusal.status == 404:
        raise refusal
    now = get_visible(task.pk, scope=scope)
    return page(request, now, scope, at, refusal=refusal, status=refusal.status, **typed)


@require_safe
def task(request: HttpRequest, pk: int) -> HttpResponse:
    scope, at = scope_of(request.user), timezone.now()
    found = get_visible(pk, scope=scope)
    if request.GET.get("part") == "check":
        if found.office_id not in scope.member or found.state not in EDITABLE:
            raise Http404
        return render(
            request, "workflow/task_check.html", {"task": found} | form_context(found, attempts_of(found), at)
        )
    return task_page(request, found, scope, at)


@require_POST
def task_accept(request: HttpRequest, pk: int) -> HttpResponse:
    """签收."""
    task = steps.accept(task_id=pk, actor=actor_of(request), at=timezone.now())
    messages.success(request, _("已签收:{title}").format(title=task.title))
    return redirect("workflow:task", pk)


@require_POST
def accept_many(request: HttpRequest) -> HttpResponse:
    """签收 several at once: each by itself, and what could not be done is said by name."""
    ids = list(dict.fromkeys(int(pk) for pk in request.POST.getlist("ids") if pk.isdigit() and len(pk) < 12))
    if not ids:
        messages.warning(request, _("没有选中任何事项。请先勾选要签收的事项。"))
        return redirect("home")
    result = steps.accept_many(task_ids=ids, actor=actor_of(request), at=timezone.now())
    if result.done:
        messages.success(request, _("已签收 {n} 项。").format(n=len(result.done)))
    for reason in list(dict.fromkeys(result.refused.values()))[:5]:
        messages.error(request, reason)
    return redirect("home")
