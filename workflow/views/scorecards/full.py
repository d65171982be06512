"""按满分评定: what is left to judge, all at once."""

import secrets
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.errors import BadInput, NotAllowed, Refusal
from accounts.grants import scope_of
from assessments import operations as assessments
from assessments.models import Scorecard
from assessments.queries import get_card
from assessments.rows import load_rows
from scoring.points import format_points
from workflow.score_presenters.card import to_judge_full, view_of
from workflow.scorecard_forms import FullForm
from workflow.views.scorecards.parts import card_crumbs, number, refuse


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
            except Refusal as refusal:
                status = refuse(form, refusal)
                card = get_card(card_id, scope=scope)
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
