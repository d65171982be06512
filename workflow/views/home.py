"""我的工作: three lists of what waits, for whoever looks."""

from datetime import datetime

from django.db.models import QuerySet
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.grants import Scope, scope_of
from assessments.models import Scorecard
from assessments.queries import to_score, to_sign
from tasks import queries as tasks
from tasks.overview import headline_rows
from tasks.queries import LISTED, SHOWN, capped_counts, shown
from workflow.coordination import overseen
from workflow.presenters.rows import rows_of
from workflow.presenters.words import points_words

CARDS_SHOWN = 8


def _list(key: str, rows: QuerySet, count: int, *, scope: Scope, at: datetime, marked: set[int]) -> dict:
    found = list(rows.for_lists().only(*LISTED).order_by("due_at", "id")[:SHOWN]) if count else []
    presented = rows_of(found, scope=scope, at=at)
    return {
        "key": key,
        "rows": presented,
        "count": shown(count),
        "more": count > len(found),
        "selectable": any(row.selectable for row in presented),
        "marked": marked,
    }


@require_safe
def home(request):
    scope, at = scope_of(request.user), timezone.now()
    if not scope.has_business and (scope.administer or scope.audit):
        # administrators and auditors have no business content: their first page is their own
        return redirect("accounts:index" if scope.administer else "audit:list")
    todo, confirm, review, waiting = (
        tasks.to_do(scope),
        tasks.to_confirm(scope),
        tasks.to_review(scope),
        tasks.waiting(scope),
    )
    late = todo.filter(due_at__lt=at)
    today = tasks.due_today(todo, at=at)
    counts = capped_counts(todo, confirm, review, waiting, late, today)
    # what was ticked before the list was refreshed stays ticked
    marked = {int(pk) for pk in request.GET.getlist("ids")[:200] if pk.isdigit()}
    lists = [
        _list(key, rows, count, scope=scope, at=at, marked=marked)
        for key, rows, count in zip(
            ("todo", "confirm", "review", "waiting"), (todo, confirm, review, waiting), counts[:4], strict=True
        )
    ]
    cards = scorecards_waiting(scope)
    nothing = not any(counts[:4]) and not any(cards.values())
    context = {
        "lists": {item["key"]: item for item in lists},
        "cards": cards | {"scoring": cards["score"][:CARDS_SHOWN], "scores": len(cards["score"])},
        "late": counts[4],
        "late_words": shown(counts[4]),
        "today": counts[5],
        "today_words": shown(counts[5]),
        "decide": counts[1] + counts[2] + len(cards["sign"]),
        "decide_words": shown(counts[1] + counts[2] + len(cards["sign"])),
        "decides": bool(scope.head | scope.review | scope.sign),
        "nothing": nothing,
    }
    if nothing:
        context["elsewhere"] = elsewhere(scope, at)
    part = bool(request.htmx) and not request.htmx.boosted
    return render(request, "workflow/home_lists.html" if part else "workflow/home.html", context)


def elsewhere(scope: Scope, at: datetime) -> list[dict[str, str]]:
    """Where somebody for whom nothing waits has their own work: to oversee, to review, to score, to sign."""
    found = []
    if offices := overseen(scope):
        late = capped_counts(headline_rows(offices, at=at)["late"])[0]
        label = _("督办台:{n} 项已逾期").format(n=shown(late)) if late else _("督办台:没有逾期事项")
        found.append({"label": label, "url": reverse("workflow:coordination")})
    if scope.review:
        found.append({"label": _("审核"), "url": reverse("workflow:review")})
    if scope.sign:
        found.append({"label": _("签批"), "url": reverse("workflow:sign")})
    if scope.review or scope.sign:
        found.append({"label": _("得分与结果"), "url": reverse("workflow:results")})
    return found


def scorecards_waiting(scope: Scope) -> dict[str, list]:
    """Scorecards this person has to sign, and those a reviewer has to score."""
    return {
        "sign": [_card(card, "workflow:scorecard_sign") for card in to_sign(scope)] if scope.sign else [],
        "score": [_card(card, "workflow:scorecard") for card in to_score(scope)] if scope.review else [],
    }


def _card(card: Scorecard, name: str) -> dict[str, str]:
    meta = [_("满分 {points}").format(points=points_words(card.max_points))]
    if card.earned is not None:
        meta.append(_("得分 {points}").format(points=points_words(card.earned)))
    if card.unresolved:
        meta.append(_("待定 {n} 项").format(n=card.unresolved))
    return {
        "title": _("{office} {year}年度得分表").format(office=card.office, year=card.version.year),
        "meta": " · ".join(meta),
        "url": reverse(name, args=[card.pk]),
    }
