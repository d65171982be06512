"""Reading tasks. Whoever looks is handed in as a scope; a foreign task does not exist for them."""

from dataclasses import dataclass
from datetime import datetime

from accounts.errors import NotVisible
from accounts.grants import Scope
from tasks.models import Evidence, Submission, Task, TaskState

SHOWN = 25
COUNT_CAP = 999


@dataclass(frozen=True)
class Listing:
    """The first rows of a list, and how many there are (counted to a cap: a page must not slow down with the year)."""

    rows: list[Task]
    count: int
    more: bool

    @property
    def capped(self) -> bool:
        return self.count > COUNT_CAP


def listing(rows, *, limit: int = SHOWN) -> Listing:
    found = list(rows.for_lists()[: limit + 1])
    more = len(found) > limit
    count = rows.order_by()[: COUNT_CAP + 1].count() if more else len(found)
    return Listing(rows=found[:limit], count=count, more=more)


def get_visible(task_id: int, *, scope: Scope) -> Task:
    """The task, or NotVisible: what one may not see is not there."""
    task = (
        Task.objects.visible_to(scope)
        .select_related("office", "indicator__section", "clause", "deadline", "version", "accepted_by", "collected_by")
        .filter(pk=task_id)
        .first()
    )
    if task is None:
        raise NotVisible()
    return task


def to_do(scope: Scope, *, limit: int = SHOWN) -> Listing:
    """要我办: with my offices, the earliest due first."""
    return listing(Task.objects.with_office().filter(office_id__in=scope.member).order_by("due_at", "id"), limit=limit)


def to_confirm(scope: Scope, *, limit: int = SHOWN) -> Listing:
    """等我定, for the head of an office."""
    return listing(
        Task.objects.filter(state=TaskState.CONFIRMING, office_id__in=scope.head).order_by("due_at", "id"),
        limit=limit,
    )


def to_review(scope: Scope, *, limit: int = SHOWN) -> Listing:
    """等我定, for a reviewer: never what the reviewer's own office filed (reviewer ≠ submitter)."""
    return listing(
        Task.objects.filter(state=TaskState.REVIEWING, office_id__in=scope.review - scope.member).order_by(
            "due_at", "id"
        ),
        limit=limit,
    )


def waiting(scope: Scope, *, limit: int = SHOWN) -> Listing:
    """等别人: filed by my offices, with the head or the reviewer now."""
    return listing(
        Task.objects.filter(
            state__in=[TaskState.CONFIRMING, TaskState.REVIEWING], office_id__in=scope.member - scope.head
        ).order_by("due_at", "id"),
        limit=limit,
    )


def overdue(scope: Scope, *, at: datetime):
    """Everything late that this person may see, the longest late first."""
    return Task.objects.visible_to(scope).overdue_at(at).order_by("due_at", "id")


def late_count(scope: Scope, *, at: datetime) -> int:
    """Late tasks of the person's own offices, counted to the cap."""
    return Task.objects.overdue_at(at).filter(office_id__in=scope.member).order_by()[: COUNT_CAP + 1].count()


def draft_of(task: Task) -> Submission | None:
    return task.submissions.filter(submitted_at=None).prefetch_related("evidence__blob").first()


def submissions_of(task: Task) -> list[Submission]:
    """What was filed, oldest first, with evidence."""
    return list(
        task.submissions.exclude(submitted_at=None)
        .select_related("submitted_by", "confirmed_by")
        .prefetch_related("evidence__blob")
        .order_by("number")
    )


def get_evidence(evidence_id: int, *, scope: Scope) -> Evidence:
    """A piece of evidence whose task the person may see; a draft's only for the office itself."""
    evidence = (
        Evidence.objects.select_related("blob", "submission__task__office")
        .filter(pk=evidence_id, submission__task__office_id__in=scope.readable)
        .first()
    )
    if evidence is None:
        raise NotVisible()
    if evidence.submission.submitted_at is None and evidence.submission.task.office_id not in scope.member:
        raise NotVisible()
    return evidence
