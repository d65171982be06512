"""我的工作: three lists of what waits, for whoever looks."""

from datetime import datetime, time, timedelta

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.grants import Scope, scope_of
from assessments.models import Scorecard
from assessments.queries import to_score, to_sign
from tasks.models import Task, TaskState
from tasks.queries import COUNT_CAP, SHOWN
from workflow.presenters import points_words, rows_of

CARDS_SHOWN = 8
# long texts that no list shows
HEAVY = (
    "quote",
    "clause__text",
    "clause__parts",
    "clause__measures",
    "indicator__preamble",
)


def to_do_rows(scope: Scope) -> QuerySet:
    """要我办: with my offices."""
    return Task.objects.with_office().filter(office_id__in=scope.member)


def to_confirm_rows(scope: Scope) -> QuerySet:
    """等我定, for the head of an office."""
    return Task.objects.filter(state=TaskState.CONFIRMING, office_id__in=scope.head)


def to_review_rows(scope: Scope) -> QuerySet:
    """等我定, for a reviewer: never what the reviewer's own office filed."""
    return Task.objects.filter(state=TaskState.REVIEWING, office_id__in=scope.review - scope.member)


def waiting_rows(scope: Scope) -> QuerySet:
    """等别人: filed by my offices; with the head (where that is not me) or with the reviewer."""
    reviewing = Task.objects.filter(state=TaskState.REVIEWING, office_id__in=scope.member - scope.review)
    confirming = Task.objects.filter(state=TaskState.CONFIRMING, office_id__in=scope.member - scope.head)
    return reviewing | confirming


def capped_counts(*lists: QuerySet) -> list[int]:
    """How many rows each list has, counted to the cap, all in one query: as many queries for 10 rows as for 1,000."""
    parts, params = [], []
    for rows in lists:
        try:
            sql, values = rows.order_by().values("pk")[: COUNT_CAP + 1].query.sql_with_params()
        except EmptyResultSet:
            parts.append("0")
            continue
        parts.append(f"(SELECT COUNT(*) FROM ({sql}) AS counted)")  # noqa: S608 – compiled by Django, values apart
        params += values
    if not params:
        return [0] * len(parts)
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(parts), params)
        return list(cursor.fetchone())


def shown(count: int) -> str:
    """A capped count as it is read."""
    return f"{COUNT_CAP}+" if count > COUNT_CAP else str(count)


def end_of(day_of: datetime) -> datetime:
    """The first instant after the local day."""
    local = timezone.localtime(day_of)
    return timezone.make_aware(datetime.combine(local.date() + timedelta(days=1), time.min))


def _list(key: str, rows: QuerySet, count: int, *, scope: Scope, at: datetime, marked: set[int]) -> dict:
    found = list(rows.for_lists().defer(*HEAVY).order_by("due_at", "id")[:SHOWN]) if count else []
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
        to_do_rows(scope),
        to_confirm_rows(scope),
        to_review_rows(scope),
        waiting_rows(scope),
    )
    late = todo.filter(due_at__lt=at)
    today = todo.filter(due_at__gte=at, due_at__lt=end_of(at))
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
        "nothing": not any(counts[:4]) and not any(cards.values()),
    }
    part = bool(request.htmx) and not request.htmx.boosted
    return render(request, "workflow/home_lists.html" if part else "workflow/home.html", context)


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
