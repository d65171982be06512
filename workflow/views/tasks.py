"""The pages of tasks: the list, one task with its steps, and the review of what was filed."""

import re
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import actor_of
from accounts.errors import BadInput, NotAllowed, Refusal
from accounts.grants import Power, Scope, holders, members, scope_of
from accounts.models import Office, User
from assessments.models import Review
from audit.queries import history_of
from deadlines.calendar import seeded_calendar
from schemes.models import Doubt, Responsibility, SchemeVersion, ScoringRule, Section
from tasks import operations as task_operations
from tasks.files import accepted_extensions
from tasks.forms import Typed, typed_of
from tasks.models import OPEN, WITH_OFFICE, Submission, Task, TaskState
from tasks.presenters import file_of
from tasks.queries import get_visible
from tasks.views import guarded
from workflow import operations as steps
from workflow.forms import ReportForm, carried, decision_of, marks_of, targets_of
from workflow.presenters import (
    EDITABLE,
    Filed,
    checklist,
    clause_words,
    deadline_words,
    due_bar,
    filed_of,
    highlighted,
    marks_for_draft,
    measures_of,
    moment,
    period_words,
    points_words,
    role_words,
    rows_of,
    rule_lines,
    standing,
    target_words,
    timeline,
)
from workflow.views.home import HEAVY, end_of, to_review_rows

PAGE_SIZE = 50
COUNTED = 10_000
NAMES_SHOWN = 3
QUEUE_CAP = 1000
MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")


# ------------------------------------------------------------------ the list


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
            rows = _in_stage(rows, stage, at)
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


def _in_stage(rows: QuerySet, stage: str, at) -> QuerySet:
    if stage == "late":
        return rows.overdue_at(at)
    if stage == "today":
        return rows.with_office().filter(due_at__gte=at, due_at__lt=end_of(at))
    if stage == "soon":
        last = seeded_calendar().add_workdays(timezone.localdate(at), 3)
        return rows.with_office().filter(due_at__gte=at, due_date__lte=last)
    if stage == "open":
        return rows.with_office()
    return rows.filter(state__in=[s for s in OPEN if s not in WITH_OFFICE])


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
    page = CappedPaginator(rows.for_lists().defer(*HEAVY).order_by("due_at", "id"), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
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


# ------------------------------------------------------------------ one task


def _names(ids) -> str:
    """The names of some people, the first few of them."""
    if not ids:
        return ""
    names = [str(user) for user in User.objects.filter(pk__in=ids).order_by("pk")[: NAMES_SHOWN + 1]]
    words = "、".join(names[:NAMES_SHOWN])
    return words + (_("等 {n} 人").format(n=len(ids)) if len(ids) > NAMES_SHOWN else "")


def _people(task: Task, at) -> str:
    """Who holds the task now."""
    office, today = {task.office_id}, timezone.localdate(at)
    if task.state in (TaskState.ACCEPTED, TaskState.RETURNED):
        return str(task.accepted_by) if task.accepted_by_id else ""
    if task.state == TaskState.ISSUED:
        return _names(members(office_ids=office, on=today)[task.office_id])
    if task.state == TaskState.CONFIRMING:
        return _names(members(office_ids=office, on=today, heads_only=True)[task.office_id])
    if task.state == TaskState.REVIEWING:
        reviewers = holders(power=Power.REVIEW, office_ids=office)[task.office_id]
        return _names(reviewers - members(office_ids=office, on=today)[task.office_id])
    return ""


def rule_context(task: Task) -> dict[str, Any]:
    """The left column: the clause in the words of the notice, points, rules read back, when it is due, doubts."""
    row = task.indicator
    rules = ScoringRule.objects.filter(indicator=row).order_by("position")
    if task.clause_id:
        rules = rules.filter(Q(clause_id=task.clause_id) | Q(clause=None))
        text = task.clause.text
    else:  # the whole row: every paragraph of it
        text = "\n".join([row.preamble or "", *row.clauses.order_by("position").values_list("text", flat=True)]).strip()
    rules = list(rules)
    codes = {str(rule.params["doubt"]) for rule in rules if rule.params.get("doubt")}
    if task.deadline_id and task.deadline.params.get("doubt"):
        codes.add(str(task.deadline.params["doubt"]))
    where = {row.code}
    if task.clause_id and task.clause.no is not None:
        where.add(f"{row.code}/{task.clause.no}")
    doubts = Doubt.objects.filter(version_id=task.version_id).filter(Q(code__in=codes) | Q(where__in=where))
    return {
        "clause_words": clause_words(task),
        "path": row.path,
        "section": row.section,
        "text": highlighted(text, task.quote) if text else [(task.quote, False)],
        "clause_points": points_words(task.clause.points if task.clause_id else row.points),
        "row_points": points_words(row.points),
        "rules": rule_lines(rules, whole_row=task.clause_id is None),
        "deadline_words": deadline_words(task),
        "deadline_quote": task.deadline.quote if task.deadline_id else "",
        "doubts": list(doubts),
        "previous": _previous(task),
        "period": period_words(task.period),
        "role": role_words(task),
        "measures_asked": measures_of(task, {}),
    }


def _previous(task: Task) -> dict[str, Any] | None:
    """What the office filed for the period before."""
    before = (
        Task.objects.filter(
            version_id=task.version_id,
            office_id=task.office_id,
            indicator_id=task.indicator_id,
            clause_id=task.clause_id,
            deadline_id=task.deadline_id,
            role=task.role,
            due_at__lt=task.due_at,
            first_submitted_at__isnull=False,
        )
        .order_by("-due_at", "-id")
        .first()
    )
    if before is None:
        return None
    filed = before.submissions.exclude(submitted_at=None).order_by("-number").first()
    return {"task": before, "period": period_words(before.period), "submission": filed}


def _linked(task: Task, scope: Scope) -> list[dict[str, Any]]:
    """For the office that collects: who has handed in what, and who is missing."""
    filed = Submission.objects.exclude(submitted_at=None).order_by("-number").prefetch_related("evidence__blob")
    found = []
    provided = (
        task.provided.exclude(state=TaskState.CANCELLED).select_related("office").order_by("office__position", "id")
    )
    for part in provided.prefetch_related(Prefetch("submissions", queryset=filed, to_attr="filed")):
        may_read = task.office_id in scope.member or part.office_id in scope.readable
        last = part.filed[0] if part.filed else None
        found.append(
            {
                "task": part,
                "url": reverse("workflow:task", args=[part.pk]) if part.office_id in scope.readable else "",
                "submission": last if may_read else None,
                "files": [file_of(e) for e in last.evidence.all()] if last and may_read else [],
                "filed": last is not None and part.state not in WITH_OFFICE,
                "approved": part.state == TaskState.APPROVED,
            }
        )
    return sorted(found, key=lambda item: (item["filed"], item["approved"]))


@dataclass
class Attempts:
    """Everything filed for a task: the open draft (for the office only), what was submitted, and the decisions."""

    draft: Submission | None
    submitted: list[Submission]
    reviews: dict[int, list[Review]]

    @property
    def last(self) -> Submission | None:
        return self.submitted[-1] if self.submitted else None

    @property
    def returned(self) -> Review | None:
        """The decision that sent the last submission back."""
        decisions = self.reviews.get(self.last.pk, []) if self.last else []
        return next((r for r in reversed(decisions) if r.outcome == Review.Outcome.RETURNED), None)


def attempts_of(task: Task) -> Attempts:
    rows = list(
        task.submissions.select_related("submitted_by", "confirmed_by", "saved_by")
        .prefetch_related("evidence__blob")
        .order_by("number")
    )
    reviews: dict[int, list[Review]] = {}
    if any(row.submitted_at for row in rows):
        for review in Review.objects.filter(submission__in=rows).select_related("reviewer").order_by("id"):
            reviews.setdefault(review.submission_id, []).append(review)
    return Attempts(
        draft=next((row for row in rows if row.submitted_at is None), None),
        submitted=[row for row in rows if row.submitted_at is not None],
        reviews=reviews,
    )


def _form_context(
    task: Task, attempts: Attempts, at, *, typed: Typed | None = None, problems: dict | None = None
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
        "max_bytes": _max_bytes(),
        "max_mb": _max_bytes() // 1048576,
    }


def _max_bytes() -> int:
    from django.conf import settings

    return settings.EVIDENCE_MAX_BYTES


def task_page(
    request: HttpRequest,
    task: Task,
    scope: Scope,
    at,
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
    now = standing(task, at=at, people=_people(task, at))
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
        "linked": _linked(task, scope) if task.role == Responsibility.Role.COLLECT else [],
        "timeline": timeline(task, history=history_of(task), warnings=task.warnings.all(), at=at, now=now),
        "refusal": refusal,
        # typed, but there is no form any more to type into: shown, so that nothing is lost
        "kept": typed if typed and not fills_in and (typed.text or any(typed.values.values())) else None,
        "decision": decision,
        "problems": problems or {},
        "title": task.title,
    } | rule_context(task)
    context["linked_missing"] = sum(1 for item in context["linked"] if not item["filed"])
    if fills_in:
        context |= _form_context(task, attempts, at, typed=typed, problems=problems)
    return render(request, "workflow/task.html", context, status=status)


@require_safe
def task(request: HttpRequest, pk: int) -> HttpResponse:
    scope, at = scope_of(request.user), timezone.now()
    found = get_visible(pk, scope=scope)
    if request.GET.get("part") == "check":
        if found.office_id not in scope.member or found.state not in EDITABLE:
            raise Http404
        return render(
            request, "workflow/task_check.html", {"task": found} | _form_context(found, attempts_of(found), at)
        )
    return task_page(request, found, scope, at)


def _back(request: HttpRequest, pk: int) -> HttpResponse:
    """To the page the button stood on: the home lists, or the task."""
    if request.POST.get("next") == "home":
        return redirect("home")
    return redirect("workflow:task", pk)


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


@guarded
@require_POST
def task_submit(request: HttpRequest, pk: int) -> HttpResponse:
    """报送. What was typed comes back with every refusal."""
    scope, actor, at = scope_of(request.user), actor_of(request), timezone.now()
    found = get_visible(pk, scope=scope)
    typed = typed_of(request.POST, found)
    sent = Submission.objects.filter(task=found, token=typed.token, submitted_by=request.user).exists()
    try:
        if not sent:
            _refuse_newer_draft(found, typed, request.user)
            for upload in request.FILES.getlist("files"):
                task_operations.add_evidence(task_id=pk, actor=actor, at=at, upload=upload)
        steps.submit(
            task_id=pk,
            actor=actor,
            at=at,
            revision=typed.revision,
            token=typed.token,
            text=typed.text,
            values=typed.values,
        )
    except BadInput as refusal:
        return task_page(request, found, scope, at, typed=typed, problems=refusal.problems, status=400)
    except Refusal as refusal:
        if refusal.status == 404:
            raise
        found = get_visible(pk, scope=scope)
        return task_page(request, found, scope, at, typed=typed, refusal=refusal, status=refusal.status)
    found = get_visible(pk, scope=scope)
    where = _("待处室负责人确认") if found.state == TaskState.CONFIRMING else _("待审核")
    messages.success(request, _("已报送,{where}。").format(where=where))
    return redirect("workflow:task", pk)


class NewerDraft(Refusal):
    default = gettext_lazy(
        "{name}在您打开页面之后保存了新的草稿,报送没有完成。下面是您填写的内容;请与对方核对后再报送,报送时以您这里的内容为准。"
    )


def _refuse_newer_draft(task: Task, typed: Typed, user: User) -> None:
    """A colleague's draft that this page has never shown is not silently replaced."""
    draft = task.submissions.filter(submitted_at=None).select_related("saved_by").first()
    if draft and typed.base and draft.saved_by_id != user.pk and draft.saved_at > typed.base:
        raise NewerDraft(name=draft.saved_by)


@require_POST
def task_confirm(request: HttpRequest, pk: int) -> HttpResponse:
    """负责人确认, or back to the clerk with a reason."""
    scope, at = scope_of(request.user), timezone.now()
    found = get_visible(pk, scope=scope)
    decision = decision_of(request.POST)
    try:
        steps.confirm(
            task_id=pk,
            actor=actor_of(request),
            at=at,
            revision=decision.revision,
            outcome=decision.outcome,
            reason=decision.reason,
        )
    except BadInput as refusal:
        return task_page(request, found, scope, at, decision=decision, problems=refusal.problems, status=400)
    except Refusal as refusal:
        if refusal.status == 404:
            raise
        found = get_visible(pk, scope=scope)
        return task_page(request, found, scope, at, decision=decision, refusal=refusal, status=refusal.status)
    if decision.outcome == Review.Outcome.APPROVED:
        messages.success(request, _("已确认并送审:{title}").format(title=found.title))
    else:
        messages.success(request, _("已退回经办人修改:{title}").format(title=found.title))
    return redirect("home")


# ------------------------------------------------------------------ review


@dataclass(frozen=True)
class Queue:
    """Where a task stands among those that wait for this reviewer."""

    position: int  # 0: not in the queue any more
    total: int
    before: int | None
    after: int | None
    near: list[dict[str, Any]]


def queue_of(scope: Scope, pk: int) -> Queue:
    ids = list(to_review_rows(scope).order_by("due_at", "id").values_list("pk", flat=True)[:QUEUE_CAP])
    if pk not in ids:
        return Queue(0, len(ids), None, ids[0] if ids else None, [])
    i = ids.index(pk)
    window = ids[max(0, i - 2) : i + 5]
    shown = {t.pk: t for t in Task.objects.filter(pk__in=window).for_lists().defer(*HEAVY)}
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
    first = to_review_rows(scope).order_by("due_at", "id").values_list("pk", flat=True).first()
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
    except BadInput as refusal:
        return _review_page(request, found, scope, at, decision=decision, problems=refusal.problems, status=400)
    except Refusal as refusal:
        if refusal.status == 404:
            raise
        found = get_visible(pk, scope=scope)
        return _review_page(request, found, scope, at, decision=decision, refusal=refusal, status=refusal.status)
    done = _("已退回:{title}") if returned else _("已通过:{title}")
    messages.success(request, done.format(title=found.title))
    if following is None:
        first = to_review_rows(scope).order_by("due_at", "id").values_list("pk", flat=True).first()
        following = first if first != pk else None
    if following is None:
        messages.info(request, _("审核队列已清空。"))
        return redirect("home")
    return redirect("workflow:task_review", following)


def _review_page(
    request: HttpRequest,
    task: Task,
    scope: Scope,
    at,
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
        "linked": _linked(task, scope) if task.role == Responsibility.Role.COLLECT else [],
    } | rule_context(task)
    context["linked_missing"] = sum(1 for item in context["linked"] if not item["filed"])
    return render(request, "workflow/review.html", context, status=status)


urlpatterns = [
    path("tasks/", task_list, name="tasks"),
    path("tasks/accept/", accept_many, name="accept_many"),
    path("tasks/<int:pk>/", task, name="task"),
    path("tasks/<int:pk>/accept/", task_accept, name="task_accept"),
    path("tasks/<int:pk>/submit/", task_submit, name="task_submit"),
    path("tasks/<int:pk>/confirm/", task_confirm, name="task_confirm"),
    path("tasks/<int:pk>/review/", task_review, name="task_review"),
    path("review/", review_next, name="review"),
]
