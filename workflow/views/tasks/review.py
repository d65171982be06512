"""审核: the rule on the left, the evidence in the middle, the decision on the right."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actors import actor_of
from accounts.errors import NotAllowed, Refusal
from accounts.grants import Scope, scope_of
from assessments.models import Review
from assessments.queries import attempts_of
from schemes.models import Responsibility
from tasks.models import Task, TaskState
from tasks.queries import get_visible, to_review
from workflow import operations as steps
from workflow.forms import decision_of, marks_of, targets_of
from workflow.presenters.bars import due_bar
from workflow.presenters.filing import Filed, filed_of
from workflow.presenters.words import moment
from workflow.views.tasks.page import refused
from workflow.views.tasks.parts import linked_of, rule_context, score_url_of

QUEUE_CAP = 1000


@dataclass(frozen=True)
class Queue:
    """Where a task stands among those that wait for this reviewer."""

    position: int  # 0: not in the queue any more
    total: int
    before: int | None
    after: int | None
    near: list[dict[str, Any]]


def queue_of(scope: Scope, pk: int) -> Queue:
    ids = list(to_review(scope).order_by("due_at", "id").values_list("pk", flat=True)[:QUEUE_CAP])
    if pk not in ids:
        return Queue(0, len(ids), None, ids[0] if ids else None, [])
    i = ids.index(pk)
    window = ids[max(0, i - 2) : i + 5]
    shown = {t.pk: t for t in Task.objects.filter(pk__in=window).for_lists()}
    near = [
        {
            "pk": one,
            "url": reverse("workflow:task_review", args=[one]),
            "title": shown[one].title,
            "office": str(shown[one].office),
            "current": one == pk,
        }
        for one in window
        if one in shown
    ]
    return Queue(i + 1, len(ids), ids[i - 1] if i else None, ids[i + 1] if i + 1 < len(ids) else None, near)


@require_safe
def review_next(request: HttpRequest) -> HttpResponse:
    """The first task that waits for this reviewer, or the reason why there is none."""
    scope = scope_of(request.user)
    first = to_review(scope).order_by("due_at", "id").values_list("pk", flat=True).first()
    if first is not None:
        return redirect("workflow:task_review", first)
    return render(request, "workflow/review_empty.html", {"reviews": bool(scope.review)})


def _may_review(task: Task, scope: Scope) -> None:
    if task.office_id in scope.member:
        raise NotAllowed(
            _("您是{office}的成员,不能审核本处室的事项。请由其他审核人员办理。").format(office=task.office)
        )
    if task.office_id not in scope.review:
        raise NotAllowed(
            _("您没有对{office}的审核权限。如认为应当由您审核,请联系统筹人员授权。").format(office=task.office)
        )


@require_http_methods(["GET", "HEAD", "POST"])
def task_review(request: HttpRequest, pk: int) -> HttpResponse:
    """审核: the rule on the left, the evidence in the middle, the decision on the right."""
    scope, at = scope_of(request.user), timezone.now()
    found = get_visible(pk, scope=scope)
    _may_review(found, scope)
    if request.method != "POST":
        return _review_page(request, found, scope, at)
    following = queue_of(scope, pk).after
    decision = decision_of(request.POST)
    last = attempts_of(found).last
    targets = targets_of(found, last, request.POST) if last else []
    returned = decision.outcome == Review.Outcome.RETURNED
    try:
        steps.review(
            task_id=pk,
            actor=actor_of(request),
            at=at,
            revision=decision.revision,
            outcome=decision.outcome,
            reason=decision.reason,
            marks=marks_of(targets),
        )
    except Refusal as refusal:
        return refused(_review_page, request, found, scope, at, refusal, decision=decision)
    done = _("已退回:{title}") if returned else _("已通过:{title}")
    messages.success(request, done.format(title=found.title))
    if following is None:
        first = to_review(scope).order_by("due_at", "id").values_list("pk", flat=True).first()
        following = first if first != pk else None
    if following is None:
        messages.info(request, _("审核队列已清空。"))
        return redirect("home")
    return redirect("workflow:task_review", following)


def _review_page(
    request: HttpRequest,
    task: Task,
    scope: Scope,
    at: datetime,
    *,
    decision=None,
    problems: dict | None = None,
    refusal: Refusal | None = None,
    status: int = 200,
) -> HttpResponse:
    attempts = attempts_of(task)
    last = attempts.last
    latest: Filed | None = filed_of(task, last, attempts.reviews.get(last.pk, [])) if last else None
    queue = queue_of(scope, task.pk)
    posted = request.POST if request.method == "POST" else None
    decided = next(
        (r for r in (attempts.reviews.get(last.pk, []) if last else []) if r.stage == Review.Stage.REVIEW), None
    )
    context = {
        "task": task,
        "title": task.title,
        "open": task.state == TaskState.REVIEWING,
        "latest": latest,
        "earlier": [filed_of(task, s, attempts.reviews.get(s.pk, [])) for s in reversed(attempts.submitted[:-1])],
        "targets": targets_of(task, last, posted) if last else [],
        "decision": decision,
        "problems": problems or {},
        "problem_list": [str(m) for ms in (problems or {}).values() for m in ms],
        "refusal": refusal,
        "decided": decided,
        "decided_at": moment(decided.at) if decided else "",
        "queue": queue,
        "bar": due_bar(task, at),
        "linked": linked_of(task, scope) if task.role == Responsibility.Role.COLLECT else [],
    } | rule_context(task)
    context["score_url"] = score_url_of(task, scope)
    context["linked_missing"] = sum(1 for item in context["linked"] if not item["filed"])
    return render(request, "workflow/review.html", context, status=status)
