"""The pages of results: the ranking, a scorecard with its explanations, recording facts, and the leader's signature."""

import secrets
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.contrib.auth.hashers import check_password
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, path, reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import actor_of
from accounts.errors import BadInput, NotAllowed, NotVisible, Stale
from accounts.grants import Scope, scope_of
from assessments import operations as assessments
from assessments.errors import WrongPassword
from assessments.models import Finding, Scorecard, ScoreEntry, SignOff
from assessments.queries import (
    get_card,
    signature_of,
    signatures_of,
    to_sign,
)
from assessments.rows import Row, load_rows
from schemes.models import Clause, Responsibility, SchemeVersion, ScoringRule
from scoring.points import format_points
from scoring.rules import Rule
from tasks.models import Evidence, Task, TaskState
from workflow import operations as workflow
from workflow.score_presenters import (
    badge,
    breakdown_node,
    exceptions_of,
    grouped_digest,
    label_of,
    narrowed,
    points_words,
    read_unit,
    rule_words,
    short_digest,
    signed,
    to_judge_full,
    view_of,
)
from workflow.scorecard_forms import JUDGED, FindingForm, FullForm, ReasonForm, SignForm

State = Scorecard.State
SHOWS = ("all", "open", "deducted")
PICKED = 60


def link(name: str, *args: object, **query: object) -> str:
    """An address, or nothing while the page is not there. Empty values are left out of the query."""
    try:
        url = reverse(name, args=args)
    except NoReverseMatch:
        return ""
    given = {key: value for key, value in query.items() if value not in (None, "")}
    return f"{url}?{urlencode(given)}" if given else url


@dataclass(frozen=True)
class May:
    """What this person may do on this scorecard: shown here, checked by each operation."""

    score: bool
    finish: bool
    sign: bool
    reopen: bool

    @classmethod
    def on(cls, card: Scorecard, scope: Scope) -> "May":
        assessor = card.office_id in scope.review and card.office_id not in scope.member
        signer = card.office_id in scope.sign
        return cls(
            score=assessor and card.state == State.OPEN,
            finish=assessor and card.state == State.OPEN,
            sign=signer and card.state == State.FINISHED,
            reopen=signer and card.state == State.SIGNED,
        )


def card_crumbs(card: Scorecard, last: str = "") -> list[dict[str, str]]:
    found = [
        {"label": _("得分与结果"), "url": link("workflow:results", year=card.version.year)},
        {"label": f"{card.office} {card.version.year}", "url": reverse("workflow:scorecard", args=[card.pk])},
    ]
    if not last:
        return [found[0], {"label": found[1]["label"], "url": ""}]
    return [*found, {"label": last, "url": ""}]


def number(text: str | None) -> int | None:
    """A key out of an address; anything else is not there."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


# ------------------------------------------------------------------ results


def versions_for(scope: Scope) -> list[SchemeVersion]:
    """Issued versions that concern this person, the newest first."""
    readable = scope.readable
    return list(
        SchemeVersion.objects.filter(status=SchemeVersion.Status.ISSUED)
        .filter(
            Q(unit_id__in=readable)
            | Q(pk__in=Scorecard.objects.filter(office_id__in=readable).values("version_id"))
            | Q(pk__in=Responsibility.objects.filter(office_id__in=readable).values("indicator__version_id"))
        )
        .order_by("-year", "-number")
    )


@require_safe
def results(request: HttpRequest) -> HttpResponse:
    """得分与结果: the unit by section, and the offices in their order."""
    scope = scope_of(request.user)
    if not scope.has_business:
        raise NotVisible()
    versions = versions_for(scope)
    year = number(request.GET.get("year"))
    chosen = [version for version in versions if year in (None, version.year)]
    if year is not None and not chosen:
        raise NotVisible()
    version = chosen[0] if chosen else None
    context: dict[str, Any] = {
        "scheme": version,
        "years": [
            {"year": y, "url": link("workflow:results", year=y), "chosen": version is not None and y == version.year}
            for y in sorted({v.year for v in versions}, reverse=True)
        ],
    }
    if version is None:
        return render(request, "workflow/results.html", context)
    unit = read_unit(version, scope)
    context |= {
        "unit": unit,
        "waiting": len(to_sign(scope)) if scope.sign else 0,
        "may_open": bool(scope.review | scope.coordinate),
        "sign_url": link("workflow:sign") if scope.sign else "",
        "print_url": link("reports:scores_print_unit", version.pk) if unit.whole else "",
        "xlsx_url": link("reports:scores_xlsx_unit", version.pk) if unit.whole else "",
    }
    return render(request, "workflow/results.html", context)


@require_POST
def open_scorecards(request: HttpRequest, version_id: int) -> HttpResponse:
    """建立得分表: one for each office that answers for points."""
    scope = scope_of(request.user)
    if not scope.has_business:
        raise NotVisible()
    version = next((known for known in versions_for(scope) if known.pk == version_id), None)
    if version is None:
        raise NotVisible()
    before = Scorecard.objects.filter(version=version).count()
    cards = workflow.open_scorecards(version=version, actor=actor_of(request), at=timezone.now())
    made = len(cards) - before
    if made:
        messages.success(request, _("已建立 {n} 份得分表,可以开始评分。").format(n=made))
    else:
        messages.info(request, _("各处室的得分表都已建立,没有新增。"))
    return redirect(link("workflow:results", year=version.year))


# ------------------------------------------------------------------ a scorecard


@require_safe
def scorecards(request: HttpRequest) -> HttpResponse:
    return redirect("workflow:results")


@require_safe
def scorecard(request: HttpRequest, card_id: int) -> HttpResponse:
    """The score table as the notice prints it; each figure says why it is what it is."""
    scope = scope_of(request.user)
    card = get_card(card_id, scope=scope)
    may = May.on(card, scope)
    asked = {name: request.GET.get(name) for name in ("task", "indicator", "clause")}
    if may.score and asked["task"] and asked["indicator"]:
        return redirect(link("workflow:scorecard_finding", card.pk, **asked))
    return render(request, "workflow/scorecard.html", card_context(request, card, may))


def card_context(request: HttpRequest, card: Scorecard, may: May, **more: Any) -> dict[str, Any]:
    view = view_of(card)
    show = request.GET.get("show") if request.GET.get("show") in SHOWS else "all"
    text = (request.GET.get("q") or "")[:60]
    here = reverse("workflow:scorecard", args=[card.pk])
    narrow = narrowed(view, show=show, text=text) if show != "all" or text else view
    counts = {"all": len(view.lines), "open": len(view.open_lines), "deducted": len(view.deducted_lines)}
    words = {"all": _("全部"), "open": _("待定"), "deducted": _("有扣分")}
    signature = signature_of(card) if card.state == State.SIGNED else None
    return {
        "card": card,
        "view": view,
        "narrow": narrow,
        "badge": badge(card),
        "may": may,
        "signature": signature,
        "changed": signature is not None and signature.digest != assessments.digest_of(card),
        "draft": card.state != State.SIGNED,
        "tabs": [
            {
                "label": words[name],
                "count": counts[name],
                "url": link_here(here, show=name if name != "all" else "", q=text),
                "chosen": show == name,
            }
            for name in SHOWS
        ],
        "show": show,
        "q": text,
        "crumbs": card_crumbs(card),
        "actions": card_actions(card, may),
        "here": here,
        "missing": [],
        "recordable": {(line.indicator_id, line.clause_id) for line in view.lines} if may.score else set(),
    } | more


def link_here(here: str, **query: str) -> str:
    given = {key: value for key, value in query.items() if value}
    return f"{here}?{urlencode(given)}" if given else here


def card_actions(card: Scorecard, may: May) -> list[dict[str, Any]]:
    found = []
    if may.sign or may.reopen:
        label = _("核对并签批") if may.sign else _("签批情况")
        url = reverse("workflow:scorecard_sign", args=[card.pk])
        found.append({"label": label, "url": url, "icon": "pen", "primary": may.sign})
    for label, name, icon in (
        (_("打印"), "reports:scores_print", "printer"),
        (_("导出 Excel"), "reports:scores_xlsx", "file-earmark-excel"),
    ):
        if url := link(name, card.pk):
            found.append({"label": label, "url": url, "icon": icon})
    return found


@require_POST
def finish(request: HttpRequest, card_id: int) -> HttpResponse:
    """完成评分; refused with the list of what is missing."""
    scope = scope_of(request.user)
    card = get_card(card_id, scope=scope)
    try:
        card = workflow.finish_scorecard(
            scorecard_id=card.pk,
            actor=actor_of(request),
            at=timezone.now(),
            revision=number(request.POST.get("revision")),
        )
    except BadInput as refusal:
        missing = refusal.problems.get("entries", [str(refusal)])
        context = card_context(request, card, May.on(card, scope), missing=missing)
        return render(request, "workflow/scorecard.html", context, status=refusal.status)
    messages.success(
        request,
        _("{office}已完成评分,得分 {earned},已送领导签批。").format(
            office=card.office, earned=points_words(card.earned)
        ),
    )
    return redirect("workflow:scorecard", card_id=card.pk)


# ------------------------------------------------------------------ findings


@dataclass(frozen=True)
class Choice:
    """A rule under which a fact may be recorded."""

    key: str
    quote: str
    words: str
    url: str
    chosen: bool
    whole_row: bool


@dataclass
class Place:
    """What a fact is about: the row, the clause, and the rule chosen for it."""

    row: Row
    clause: Clause | None
    stored: ScoringRule | None
    judged: bool
    choices: list[Choice]
    judgeable: Decimal | None

    @property
    def rule(self) -> Rule | None:
        return self.row.parsed(self.stored) if self.stored else None

    @property
    def label(self) -> str:
        return self.row.label(self.clause)

    @property
    def chosen(self) -> bool:
        return self.judged or self.stored is not None


def place_of(card: Scorecard, data: Any) -> Place:
    """Read from the address (or the form): ?indicator=&clause=&rule=&task=; without a row, the task's."""
    indicator_id, clause_id = number(data.get("indicator")), number(data.get("clause"))
    task = Task.objects.filter(
        pk=number(data.get("task")), office_id=card.office_id, version_id=card.version_id
    ).first()
    if indicator_id is None and task is not None:
        indicator_id, clause_id = task.indicator_id, task.clause_id
    row = next(iter(load_rows(card.version, [indicator_id] if indicator_id else [])), None)
    if row is None or not card.entries.filter(indicator_id=row.indicator.pk).exists():
        raise NotVisible()
    clause = next((c for c in row.clauses if c.pk == clause_id), None)
    if clause_id is not None and clause is None:
        raise NotVisible()
    judgeable = row.judgeable(clause) if row.figures or clause is None else row.judgeable(None)
    offered = [rule for rule in rules_for(row, clause) if row.parsed(rule).inputs()]
    asked = data.get("rule") or ""
    keys = [str(rule.pk) for rule in offered] + ([JUDGED] if judgeable is not None else [])
    if not asked and len(keys) == 1:
        asked = keys[0]
    base = {"indicator": row.indicator.pk, "clause": clause.pk if clause else None, "task": task.pk if task else None}
    choices = [
        Choice(
            key=str(rule.pk),
            quote=rule.quote,
            words=rule_words(rule),
            url=link("workflow:scorecard_finding", card.pk, rule=rule.pk, **base),
            chosen=asked == str(rule.pk),
            whole_row=clause is not None and rule.clause_id != clause.pk,
        )
        for rule in offered
    ]
    if judgeable is not None:
        choices.append(
            Choice(
                key=JUDGED,
                quote=_("评定分"),
                words=_("原文没有计分规则,由评分人评定,最高 {points} 分").format(points=format_points(judgeable)),
                url=link("workflow:scorecard_finding", card.pk, rule=JUDGED, **base),
                chosen=asked == JUDGED,
                whole_row=False,
            )
        )
    stored = next((rule for rule in offered if str(rule.pk) == asked), None)
    return Place(row, clause, stored, asked == JUDGED and judgeable is not None, choices, judgeable)


def rules_for(row: Row, clause: Clause | None) -> list[ScoringRule]:
    """The clause's rules, then those of the row; for a row scored as a whole, all of them."""
    if clause is None and not row.figures:
        return [rule for rule in row.rules if rule.clause_id not in {c.pk for c in row.clauses if c.unscored}]
    if clause is None:
        ids = {None, *(c.pk for c in row.clauses if c.points is None and not c.unscored)}
        return [rule for rule in row.rules if rule.clause_id in ids]
    return [*row.rules_of(clause), *row.rules_of(None)]


def picks(card: Scorecard, row: Row) -> tuple[list[Task], list[Evidence]]:
    """The office's tasks of this row, and what was filed for them: what a fact may be linked with."""
    tasks = list(
        Task.objects.filter(office_id=card.office_id, version_id=card.version_id, indicator_id=row.indicator.pk)
        .exclude(state=TaskState.CANCELLED)
        .order_by("due_at", "pk")[:PICKED]
    )
    evidence = list(
        Evidence.objects.filter(submission__task__in=[task.pk for task in tasks])
        .exclude(submission__submitted_at=None)
        .select_related("submission__task")
        .order_by("submission__task__due_at", "pk")[:PICKED]
    )
    return tasks, evidence


@require_http_methods(["GET", "HEAD", "POST"])
def record(request: HttpRequest, card_id: int) -> HttpResponse:
    """记录考核事实: the form of the rule's kind; the points can be looked at before anything is saved."""
    scope = scope_of(request.user)
    card = get_card(card_id, scope=scope)
    if card.office_id not in scope.review or card.office_id in scope.member:
        raise NotAllowed(_("只有审核评分人员才能记录考核事实,并且不能评定本人所在的处室。"))
    posted = request.method == "POST"
    place = place_of(card, request.POST if posted else request.GET)
    if not place.chosen:
        if posted:
            raise BadInput({"rule": [_("请选择这一事实所依据的规则。")]})
        return render(request, "workflow/scorecard_finding.html", finding_context(card, place, None))
    tasks, evidence = picks(card, place.row)
    options: dict[str, Any] = {"rule": place.rule, "tasks": tasks, "evidence": evidence}
    if not posted:
        initial = {"token": secrets.token_urlsafe(18), "task": number(request.GET.get("task"))}
        form = FindingForm(initial=initial, **options)
        return render(request, "workflow/scorecard_finding.html", finding_context(card, place, form))
    if request.POST.get("action") == "preview":
        return preview(request, card, place, options)
    form = FindingForm(request.POST, **options)
    if form.is_valid():
        try:
            finding = assessments.record_finding(
                scorecard=card,
                indicator=place.row.indicator,
                clause=clause_for(place),
                rule=place.stored,
                actor=actor_of(request),
                at=timezone.now(),
                token=form.cleaned_data["token"],
                **form.basis(),
                **form.fact(),
            )
        except BadInput as refusal:
            form.refuse(refusal.problems)
        else:
            messages.success(request, saved_words(card, place, finding))
            return redirect(f"{reverse('workflow:scorecard', args=[card.pk])}#row-{place.row.indicator.pk}")
    return render(request, "workflow/scorecard_finding.html", finding_context(card, place, form), status=400)


def clause_for(place: Place) -> Clause | None:
    """The clause the operation is told: a rule of the row, or of another paragraph, names its own place."""
    if place.stored is None:
        return place.clause
    return place.clause if place.clause is not None and place.stored.clause_id == place.clause.pk else None


def saved_words(card: Scorecard, place: Place, finding: Finding) -> str:
    entry = (
        ScoreEntry.objects.filter(
            scorecard=card, indicator_id=place.row.indicator.pk, clause_id=finding.clause_id
        ).first()
        or ScoreEntry.objects.filter(scorecard=card, indicator_id=place.row.indicator.pk, clause=None).first()
    )
    now = points_words(entry.earned) if entry else "—"
    return _("已记录。{label}现在得 {points} 分,得分表合计 {total} 分。").format(
        label=place.row.label(finding.clause), points=now, total=points_words(card.earned)
    )


def finding_context(card: Scorecard, place: Place, form: FindingForm | None, **more: Any) -> dict[str, Any]:
    indicator = place.row.indicator
    return {
        "card": card,
        "place": place,
        "indicator": indicator,
        "clauses": [place.clause] if place.clause else [c for c in place.row.clauses if not c.unscored],
        "form": form,
        "badge": badge(card),
        "crumbs": card_crumbs(card, _("记录考核事实")),
        "back_url": f"{reverse('workflow:scorecard', args=[card.pk])}#row-{indicator.pk}",
        "here": reverse("workflow:scorecard_finding", args=[card.pk]),
        "rule_key": JUDGED if place.judged else place.stored.pk if place.stored else "",
        "points": points_words(place.clause.points if place.clause and place.clause.points else place.row.points),
    } | more


def preview(request: HttpRequest, card: Scorecard, place: Place, options: dict[str, Any]) -> HttpResponse:
    """看看分数怎么变. A part of the page for htmx, the whole page with everything typed without it."""
    form = FindingForm(request.POST, preview=True, **options)
    shown: dict[str, Any] = {"problems": []}
    if form.is_valid():
        try:
            found = assessments.preview_finding(
                scorecard=card,
                indicator=place.row.indicator,
                clause=clause_for(place),
                rule=place.stored,
                actor=actor_of(request),
                at=timezone.now(),
                **form.basis(),
                **form.fact(),
            )
        except BadInput as refusal:
            shown["problems"] = [text for texts in refusal.problems.values() for text in texts]
        else:
            shown["preview"] = preview_words(place, found)
    else:
        shown["problems"] = [text for texts in form.errors.values() for text in texts]
    if request.htmx:
        return render(request, "workflow/scorecard_preview.html", shown)
    # what is required for saving is asked again when it is saved
    typed = FindingForm(initial={name: request.POST.get(name, "") for name in form.fields}, **options)
    return render(request, "workflow/scorecard_finding.html", finding_context(card, place, typed, **shown))


def preview_words(place: Place, found: assessments.Preview) -> dict[str, Any]:
    def move(label: str, before: Decimal | None, after: Decimal | None) -> dict[str, str]:
        change = signed(after - before) if before is not None and after is not None else ""
        waiting = _("待定")
        return {
            "label": label,
            "before": waiting if before is None else format_points(before),
            "after": waiting if after is None else format_points(after),
            "change": "" if change == "0" else change,
        }

    moves = [
        move(_("整项 {code}").format(code=place.row.code), found.row_before, found.row_after),
        move(_("得分表合计"), found.card_before, found.card_after),
    ]
    if place.row.figures and place.clause is not None:
        moves.insert(0, move(_("本条 {label}").format(label=place.label), found.entry_before, found.entry_after))
    open_ = found.state in (ScoreEntry.State.UNRESOLVED, ScoreEntry.State.JUDGED_MISSING)
    return {
        "moves": moves,
        "same": all(not m["change"] and m["before"] == m["after"] for m in moves),
        "open": ";".join(found.breakdown.unresolved) if open_ else "",
        "node": breakdown_node(found.breakdown, place.row.rules),
    }


def finding_of(card: Scorecard, finding_id: int) -> Finding:
    finding = (
        Finding.objects.select_related("scorecard__office", "indicator", "clause", "rule", "recorded_by", "voided_by")
        .filter(pk=finding_id, scorecard=card)
        .first()
    )
    if finding is None:
        raise NotVisible()
    return finding


@require_http_methods(["GET", "HEAD", "POST"])
def void(request: HttpRequest, card_id: int, finding_id: int) -> HttpResponse:
    """撤销 a fact, with a reason. It stays readable."""
    scope = scope_of(request.user)
    card = get_card(card_id, scope=scope)
    finding = finding_of(card, finding_id)
    if card.office_id not in scope.review or card.office_id in scope.member:
        raise NotAllowed(_("只有审核评分人员才能撤销考核事实,并且不能评定本人所在的处室。"))
    form = ReasonForm(
        request.POST or None, label=_("撤销理由"), help_text=_("例如:登记重复、事实有误。撤销后原记录仍可查看。")
    )
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                assessments.void_finding(
                    finding=finding, actor=actor_of(request), at=timezone.now(), reason=form.cleaned_data["reason"]
                )
            except BadInput as refusal:
                for text in refusal.problems.get("reason", [str(refusal)]):
                    form.add_error("reason", text)
            else:
                messages.success(request, _("已撤销,分数已重新计算。"))
                return redirect(f"{reverse('workflow:scorecard', args=[card.pk])}#row-{finding.indicator_id}")
    item = next(found for found in view_of(card).findings if found.pk == finding.pk)
    context = {
        "card": card,
        "item": item,
        "form": form,
        "label": label_of(finding.indicator, finding.clause),
        "crumbs": card_crumbs(card, _("撤销考核事实")),
        "back_url": f"{reverse('workflow:scorecard', args=[card.pk])}#finding-{finding.pk}",
    }
    return render(request, "workflow/scorecard_void.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def judge_full(request: HttpRequest, card_id: int) -> HttpResponse:
    """按满分评定 what is left to judge: lists exactly which clauses and which points before it is done."""
    scope = scope_of(request.user)
    card = get_card(card_id, scope=scope)
    if card.office_id not in scope.review or card.office_id in scope.member:
        raise NotAllowed(_("只有审核评分人员才能评定,并且不能评定本人所在的处室。"))
    form, status = FullForm(initial={"token": secrets.token_urlsafe(18)}), 200
    if request.method == "POST":
        form, status = FullForm(request.POST), 400
        if form.is_valid():
            try:
                found = assessments.judge_full(
                    scorecard=card,
                    actor=actor_of(request),
                    at=timezone.now(),
                    token=form.cleaned_data["token"],
                    source=form.cleaned_data["source"],
                    indicators=chosen_indicators(card, request),
                )
            except BadInput as refusal:
                for name, texts in refusal.problems.items():
                    for text in texts:
                        form.add_error(name if name in form.fields else None, text)
            else:
                messages.success(
                    request,
                    ngettext("已按满分评定 {n} 条。", "已按满分评定 {n} 条。", len(found)).format(n=len(found)),
                )
                return redirect("workflow:scorecard", card_id=card.pk)
    view = view_of(card)
    items = to_judge_full(view, load_rows(card.version, {line.indicator_id for line in view.open_lines}))
    chosen = set(request.POST.getlist("indicators")) if request.method == "POST" else None
    rows: dict[int, dict[str, Any]] = {}
    titles = {row.indicator.pk: row.title for section in view.sections for row in section.rows}
    for line, points in items:
        row = rows.setdefault(
            line.indicator_id,
            {
                "pk": line.indicator_id,
                "title": titles[line.indicator_id],
                "items": [],
                "checked": chosen is None or str(line.indicator_id) in chosen,
            },
        )
        row["items"].append({"label": line.label, "content": line.content, "points": format_points(points)})
    total = sum((points for line, points in items if not line.shared), Decimal(0))
    context = {
        "card": card,
        "form": form,
        "rows": list(rows.values()),
        "count": len(items),
        "total": format_points(total),
        "others": len(view.open_lines) - len(items),
        "crumbs": card_crumbs(card, _("按满分评定")),
        "back_url": reverse("workflow:scorecard", args=[card.pk]),
    }
    return render(request, "workflow/scorecard_full.html", context, status=status)


def chosen_indicators(card: Scorecard, request: HttpRequest) -> list[Any]:
    ids = {number(text) for text in request.POST.getlist("indicators")} - {None}
    entries = card.entries.filter(indicator_id__in=ids).select_related("indicator")
    return list({entry.indicator_id: entry.indicator for entry in entries}.values())


# ------------------------------------------------------------------ the leader


def bundle_line(card: Scorecard, scope: Scope) -> dict[str, Any]:
    view = view_of(card)
    found = exceptions_of(view.lines)
    past = [signature for signature in signatures_of(card) if signature.withdrawn_at is not None]
    return {
        "card": card,
        "view": view,
        "badge": badge(card),
        "url": reverse("workflow:scorecard_sign", args=[card.pk]),
        "exceptions": found,
        "counts": {kind: sum(item.kind == kind for item in found) for kind in ("open", "veto", "zero", "cost")},
        "past": past_words(card, past[-1]) if past else "",
        "grave": any(item.kind in ("open", "veto") for item in found),
    }


def past_words(card: Scorecard, past: SignOff) -> str:
    """What is different from what was signed before."""
    if past.digest == assessments.digest_of(card):
        return _("与上次签批的内容完全一致")
    if card.earned is not None and card.earned != past.earned:
        before, after, change = (
            format_points(past.earned),
            format_points(card.earned),
            signed(card.earned - past.earned),
        )
        return _("上次签批 {before} 分,现为 {after} 分({change})").format(before=before, after=after, change=change)
    return _("得分与上次签批相同,但考核事实或依据有变动")


@require_safe
def sign_list(request: HttpRequest) -> HttpResponse:
    """待签批: a bundle, exceptions first."""
    scope = scope_of(request.user)
    if not scope.sign:
        raise NotVisible()
    lines = [bundle_line(card, scope) for card in to_sign(scope)]
    lines.sort(key=lambda line: (not line["grave"], not line["past"], not line["exceptions"]))
    standing = []
    cards = Scorecard.objects.filter(state=State.SIGNED, office_id__in=scope.sign).select_related("office", "version")
    for card in cards.order_by("-held_since", "pk"):
        signature = signature_of(card)
        standing.append(
            {
                "card": card,
                "signature": signature,
                "earned": points_words(card.earned),
                "points": points_words(card.max_points),
                "digest": short_digest(signature.digest) if signature else "",
                "changed": signature is None or signature.digest != assessments.digest_of(card),
                "url": reverse("workflow:scorecard_sign", args=[card.pk]),
            }
        )
    standing.sort(key=lambda line: not line["changed"])
    waiting = Scorecard.objects.filter(state=State.OPEN, office_id__in=scope.sign).select_related("office", "version")
    context = {
        "lines": lines,
        "standing": standing,
        "open": list(waiting.order_by("office__position", "pk")),
        "results_url": reverse("workflow:results"),
    }
    return render(request, "workflow/sign.html", context)


def sign_context(request: HttpRequest, card: Scorecard, scope: Scope, **more: Any) -> dict[str, Any]:
    # the digest first: whatever changes while the page is put together makes it refuse, never sign something unseen
    digest = assessments.digest_of(card)
    view = view_of(card)
    history = signatures_of(card)
    past = [signature for signature in history if signature.withdrawn_at is not None]
    signature = next((s for s in history if s.withdrawn_at is None), None)
    return {
        "card": card,
        "view": view,
        "narrow": view,
        "badge": badge(card),
        "may": May.on(card, scope),
        "digest": digest,
        "digest_short": short_digest(digest),
        "digest_full": grouped_digest(digest),
        "exceptions": exceptions_of(view.lines),
        "signature": signature,
        "signature_digest": grouped_digest(signature.digest) if signature else "",
        "signature_short": short_digest(signature.digest) if signature else "",
        "changed": signature is not None and signature.digest != digest,
        "past": past,
        "past_words": past_words(card, past[-1]) if past and signature is None else "",
        "draft": card.state != State.SIGNED,
        "recordable": set(),
        "crumbs": card_crumbs(card, _("签批")),
        "actions": [a for a in card_actions(card, May.on(card, scope)) if "sign" not in a["url"]],
        "form": SignForm.of(card, digest),
        "back_form": ReasonForm(prefix="back", label=_("退回理由"), help_text=_("写明哪一项需要重新核实")),
        "reopen_form": ReasonForm(
            prefix="reopen", label=_("重新打开的理由"), help_text=_("签批随即撤回,得分表回到评分中")
        ),
    } | more


def signable(request: HttpRequest, card_id: int) -> tuple[Scorecard, Scope]:
    scope = scope_of(request.user)
    card = get_card(card_id, scope=scope)
    if card.office_id not in scope.sign:
        raise NotAllowed(_("签批由分管领导办理,您没有签批的权限。"))
    return card, scope


@require_http_methods(["GET", "HEAD", "POST"])
def sign(request: HttpRequest, card_id: int) -> HttpResponse:
    """签批 of exactly what is shown, with the password once more."""
    card, scope = signable(request, card_id)
    if request.method != "POST":
        return render(request, "workflow/scorecard_sign.html", sign_context(request, card, scope))
    form = SignForm(request.POST)
    status = 400
    if form.is_valid():
        try:
            workflow.sign_scorecard(
                scorecard_id=card.pk,
                actor=actor_of(request),
                at=timezone.now(),
                revision=form.cleaned_data["revision"],
                digest=form.cleaned_data["digest"],
                password_ok=check_password(form.cleaned_data["password"], request.user.password),
                opinion=form.cleaned_data["opinion"],
            )
        except WrongPassword as refusal:
            form.add_error("password", str(refusal))
            status = refusal.status
        except BadInput as refusal:
            for name, texts in refusal.problems.items():
                for text in texts:
                    form.add_error(name if name in form.fields else None, text)
        except Stale:
            return changed_page(request, card)
        else:
            messages.success(request, _("已签批:{office}。").format(office=card.office))
            return redirect("workflow:scorecard_sign", card_id=card.pk)
    context = sign_context(request, card, scope)
    if form.data.get("digest") != context["digest"]:
        return changed_page(request, card)
    return render(request, "workflow/scorecard_sign.html", context | {"form": form}, status=status)


def changed_page(request: HttpRequest, card: Scorecard) -> HttpResponse:
    """409: what was on the screen is no longer what the database holds."""
    context = {
        "card": card,
        "opinion": request.POST.get("opinion", ""),
        "url": reverse("workflow:scorecard_sign", args=[card.pk]),
    }
    return render(request, "workflow/sign_changed.html", context, status=409)


@require_POST
def send_back(request: HttpRequest, card_id: int) -> HttpResponse:
    """退回重评, with a reason."""
    card, scope = signable(request, card_id)
    form = ReasonForm(request.POST, prefix="back", label=_("退回理由"))
    try:
        if form.is_valid():
            workflow.send_back_scorecard(
                scorecard_id=card.pk,
                actor=actor_of(request),
                at=timezone.now(),
                revision=number(request.POST.get("revision")),
                reason=form.cleaned_data["reason"],
            )
            messages.success(request, _("{office}的得分表已退回重新评分。").format(office=card.office))
            return redirect("workflow:sign")
    except BadInput as refusal:
        form.add_error("reason", str(refusal))
    return render(
        request, "workflow/scorecard_sign.html", sign_context(request, card, scope, back_form=form), status=400
    )


@require_POST
def reopen(request: HttpRequest, card_id: int) -> HttpResponse:
    """Withdraw the signature, with a reason."""
    card, scope = signable(request, card_id)
    form = ReasonForm(request.POST, prefix="reopen", label=_("重新打开的理由"))
    try:
        if form.is_valid():
            workflow.reopen_scorecard(
                scorecard_id=card.pk,
                actor=actor_of(request),
                at=timezone.now(),
                reason=form.cleaned_data["reason"],
            )
            messages.success(request, _("签批已撤回,{office}的得分表回到评分中。").format(office=card.office))
            return redirect("workflow:scorecard", card_id=card.pk)
    except BadInput as refusal:
        form.add_error("reason", str(refusal))
    return render(
        request, "workflow/scorecard_sign.html", sign_context(request, card, scope, reopen_form=form), status=400
    )


urlpatterns = [
    path("results/", results, name="results"),
    path("scorecards/", scorecards, name="scorecards"),
    path("scorecards/open/<int:version_id>/", open_scorecards, name="open_scorecards"),
    path("scorecards/<int:card_id>/", scorecard, name="scorecard"),
    path("scorecards/<int:card_id>/finish/", finish, name="scorecard_finish"),
    path("scorecards/<int:card_id>/findings/new/", record, name="scorecard_finding"),
    path("scorecards/<int:card_id>/findings/<int:finding_id>/void/", void, name="scorecard_void"),
    path("scorecards/<int:card_id>/full/", judge_full, name="scorecard_full"),
    path("scorecards/<int:card_id>/sign/", sign, name="scorecard_sign"),
    path("scorecards/<int:card_id>/sign/back/", send_back, name="scorecard_send_back"),
    path("scorecards/<int:card_id>/sign/reopen/", reopen, name="scorecard_reopen"),
    path("sign/", sign_list, name="sign"),
]
