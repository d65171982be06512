"""Recording a fact, looking at what it would do, and withdrawing it."""

import secrets
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.errors import BadInput, NotAllowed, Refusal
from accounts.grants import scope_of
from assessments import operations as assessments
from assessments.errors import AlreadyVoided, TokenUsed
from assessments.models import Finding, Scorecard, ScoreEntry
from assessments.queries import get_card, get_finding, linkable
from scoring.points import format_points
from workflow.score_presenters.card import view_of
from workflow.score_presenters.why import breakdown_node
from workflow.score_presenters.words import (
    badge,
    label_of,
    points_words,
    signed,
)
from workflow.scorecard_forms import JUDGED, FindingForm, ReasonForm
from workflow.views.scorecards.parts import card_crumbs, number, refuse
from workflow.views.scorecards.places import Place, clause_for, place_of


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
    tasks, evidence = linkable(card, place.row)
    options: dict[str, Any] = {"rule": place.rule, "tasks": tasks, "evidence": evidence}
    if not posted:
        initial = {"token": secrets.token_urlsafe(18), "task": number(request.GET.get("task"))}
        form = FindingForm(initial=initial, **options)
        return render(request, "workflow/scorecard_finding.html", finding_context(card, place, form))
    if request.POST.get("action") == "preview":
        return preview(request, card, place, options)
    form, status = FindingForm(request.POST, **options), 400
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
            if not says(finding, form):
                raise TokenUsed()
        except BadInput as refusal:
            form.refuse(refusal.problems)
        except TokenUsed:
            # sent, gone back, changed and sent again: what was typed stays, and may be saved as another one
            again = request.POST.copy()
            again["token"] = secrets.token_urlsafe(18)
            form, status = FindingForm(again, **options), TokenUsed.status
            form.add_error(None, _("这份表单已经保存过一条记录,没有重复保存。确需另记一条的,核对后再点一次“保存”。"))
        except Refusal as refusal:
            status = refuse(form, refusal)
            card = get_card(card_id, scope=scope)
        else:
            messages.success(request, saved_words(card, place, finding))
            return redirect(f"{reverse('workflow:scorecard', args=[card.pk])}#row-{place.row.indicator.pk}")
    return render(request, "workflow/scorecard_finding.html", finding_context(card, place, form), status=status)


def says(finding: Finding, form: FindingForm) -> bool:
    """Whether the finding of the form's token stands and is what the form says now, not what it said before."""
    typed = form.basis() | form.fact()
    inputs = typed.pop("inputs")
    kept = {name: Decimal(str(value)) for name, value in finding.inputs.items()}
    return finding.voided_at is None and kept == inputs and all(getattr(finding, name) == typed[name] for name in typed)


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


@require_http_methods(["GET", "HEAD", "POST"])
def void(request: HttpRequest, card_id: int, finding_id: int) -> HttpResponse:
    """撤销 a fact, with a reason. It stays readable."""
    scope = scope_of(request.user)
    card = get_card(card_id, scope=scope)
    finding = get_finding(finding_id, card=card)
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
            except AlreadyVoided as refusal:
                status = refuse(form, refusal)
                finding = get_finding(finding_id, card=card)
            except Refusal as refusal:
                status = refuse(form, refusal)
                card = get_card(card_id, scope=scope)
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
