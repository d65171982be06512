"""What the page of a task and the page of its review share: the rule, what was filed, what others provide."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.errors import NotVisible
from accounts.grants import Scope
from accounts.models import User
from assessments.models import Scorecard
from assessments.queries import scorecard_for
from schemes.models import Responsibility
from tasks.models import EDITABLE, WITH_OFFICE, Task, TaskState
from tasks.presenters import file_of
from tasks.queries import doubts_of, holder_ids, previous_of, provided_to, rules_of
from workflow.presenters.filing import measures_of
from workflow.presenters.rules import deadline_words, highlighted, rule_lines
from workflow.presenters.words import clause_words, period_words, points_words, role_words

NAMES_SHOWN = 3


def names_of(ids: set[int]) -> str:
    """The names of some people, the first few of them."""
    if not ids:
        return ""
    names = [str(user) for user in User.objects.filter(pk__in=ids).order_by("pk")[: NAMES_SHOWN + 1]]
    words = _("、").join(names[:NAMES_SHOWN])
    return words + (_("等 {n} 人").format(n=len(ids)) if len(ids) > NAMES_SHOWN else "")


def people_of(task: Task, at: datetime) -> str:
    """The names of those who hold the task now."""
    if task.state in EDITABLE:  # loaded with the task
        return str(task.accepted_by) if task.accepted_by_id else ""
    return names_of(holder_ids(task, at=at))


def rule_context(task: Task) -> dict[str, Any]:
    """The left column: the clause in the words of the notice, points, rules read back, when it is due, doubts."""
    row, rules = task.indicator, rules_of(task)
    if task.clause_id:
        text = task.clause.text
    else:  # the whole row: every paragraph of it
        text = "\n".join([row.preamble or "", *row.clauses.order_by("position").values_list("text", flat=True)]).strip()
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
        "doubts": doubts_of(task, rules),
        "previous": previous_words(task),
        "period": period_words(task.period),
        "role": role_words(task),
        "measures_asked": measures_of(task, {}),
    }


def previous_words(task: Task) -> dict[str, Any] | None:
    """What the office filed for the period before."""
    before = previous_of(task)
    if before is None:
        return None
    filed = before.submissions.exclude(submitted_at=None).order_by("-number").first()
    return {"task": before, "period": period_words(before.period), "submission": filed}


def linked_of(task: Task, scope: Scope) -> list[dict[str, Any]]:
    """For the office that collects: who has handed in what, and who is missing."""
    found = []
    for part in provided_to(task):
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


def score_url_of(task: Task, scope: Scope) -> str:
    """Where a reviewer records a finding about this task; empty for others, and where no scorecard is open."""
    if task.office_id not in scope.review - scope.member or task.role == Responsibility.Role.PROVIDE:
        return ""
    try:
        card = scorecard_for(office=task.office, version=task.version, scope=scope)
    except NotVisible:
        return ""
    if card.state != Scorecard.State.OPEN:
        return ""
    about = {"task": task.pk, "indicator": task.indicator_id} | ({"clause": task.clause_id} if task.clause_id else {})
    return f"{reverse('workflow:scorecard', args=[card.pk])}?{urlencode(about)}"
