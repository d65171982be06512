"""A scorecard with its explanations, as the notice prints it."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import actor_of
from accounts.errors import BadInput
from accounts.grants import scope_of
from assessments import operations as assessments
from assessments.models import Scorecard
from assessments.queries import get_card, signature_of
from workflow import operations as workflow
from workflow.score_presenters.card import view_of
from workflow.score_presenters.layout import narrowed
from workflow.score_presenters.words import (
    badge,
    points_words,
)
from workflow.views.scorecards.parts import May, State, card_actions, card_crumbs, link, number

SHOWS = ("all", "open", "deducted")


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
