"""Reading tasks. Whoever looks is handed in as a scope; a foreign task does not exist for them."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BooleanField, F, Func, Prefetch, Q, QuerySet
from django.utils import timezone

from accounts.errors import NotVisible
from accounts.grants import Power, Scope, holders, members
from deadlines.calendar import seeded_calendar
from deadlines.recurrence import due_at as last_instant
from schemes.models import Doubt, ScoringRule
from tasks.models import OPEN, WITH_OFFICE, Evidence, Submission, Task, TaskState

SHOWN = 25
COUNT_CAP = 999
SOON_WORKDAYS = 3


# what a row of a list shows, and what its pictures and its action are worked out from; the rest is read on demand
LISTED = (
    "title",
    "period",
    "points",
    "state",
    "role",
    "due_date",
    "due_at",
    "due_before_issue",
    "issued_at",
    "first_submitted_at",
    "held_since",
    "office",
    "office__name",
    "indicator",
    "indicator__code",
    "indicator__path",
    "clause",
    "clause__no",
)


class Among(Func):
    """`office_id` is one of these. For many offices: one parameter on PostgreSQL, and no check of each number."""

    output_field = BooleanField()
    conditional = True

    def __init__(self, office_ids: Iterable[int]) -> None:
        super().__init__(F("office_id"))
        self.office_ids = sorted(office_ids)

    @property
    def identity(self):
        return (Among, tuple(self.office_ids))

    def as_sql(self, compiler, connection, **_options):
        if not self.office_ids:
            raise EmptyResultSet
        column, params = compiler.compile(self.source_expressions[0])
        marks = ", ".join(["%s"] * len(self.office_ids))
        return f"{column} IN ({marks})", [*params, *self.office_ids]

    def as_postgresql(self, compiler, connection, **_options):
        if not self.office_ids:
            raise EmptyResultSet
        column, params = compiler.compile(self.source_expressions[0])
        return f"{column} = ANY(%s::bigint[])", [*params, self.office_ids]


# ------------------------------------------------------------------ what waits, for whom


def to_do(scope: Scope) -> QuerySet[Task]:
    """要我办: with my offices."""
    return Task.objects.with_office().filter(office_id__in=scope.member)


def to_confirm(scope: Scope) -> QuerySet[Task]:
    """等我定, for the head of an office."""
    return Task.objects.filter(state=TaskState.CONFIRMING, office_id__in=scope.head)


def to_review(scope: Scope) -> QuerySet[Task]:
    """等我定, for a reviewer: never what the reviewer's own office filed (reviewer ≠ submitter)."""
    return Task.objects.filter(state=TaskState.REVIEWING, office_id__in=scope.review - scope.member)


def waiting(scope: Scope) -> QuerySet[Task]:
    """等别人: filed by my offices; with the head (where that is not me) or with the reviewer."""
    reviewing = Task.objects.filter(state=TaskState.REVIEWING, office_id__in=scope.member - scope.review)
    confirming = Task.objects.filter(state=TaskState.CONFIRMING, office_id__in=scope.member - scope.head)
    return reviewing | confirming


def due_today(rows: QuerySet[Task], *, at: datetime) -> QuerySet[Task]:
    """Still on time, until the local day ends."""
    return rows.filter(due_at__gte=at, due_at__lt=end_of(at))


def due_soon(rows: QuerySet[Task], *, at: datetime) -> QuerySet[Task]:
    """On time, due within three working days. Cut by `due_at`, which the indexes hold, not by `due_date`."""
    last = seeded_calendar().add_workdays(timezone.localdate(at), SOON_WORKDAYS)
    return rows.filter(due_at__gte=at, due_at__lte=last_instant(last, timezone.get_default_timezone()))


def in_stage(rows: QuerySet[Task], stage: str, *, at: datetime) -> QuerySet[Task]:
    """late, today, soon, open (with the office), waiting (filed, not decided)."""
    if stage == "late":
        return rows.overdue_at(at)
    if stage == "today":
        return due_today(rows.with_office(), at=at)
    if stage == "soon":
        return due_soon(rows.with_office(), at=at)
    if stage == "open":
        return rows.with_office()
    return rows.filter(state__in=[s for s in OPEN if s not in WITH_OFFICE])


def end_of(day_of: datetime) -> datetime:
    """The first instant after the local day."""
    local = timezone.localtime(day_of)
    return timezone.make_aware(datetime.combine(local.date() + timedelta(days=1), time.min))


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


# ------------------------------------------------------------------ one task, one file


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


def draft_of(task: Task) -> Submission | None:
    return task.submissions.filter(submitted_at=None).prefetch_related("evidence__blob").first()


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


# ------------------------------------------------------------------ about one task


def holder_ids(task: Task, *, at: datetime) -> set[int]:
    """The people who can act on the task now. Once it is accepted: whoever accepted it."""
    office, today = {task.office_id}, timezone.localdate(at)
    if task.state in (TaskState.ACCEPTED, TaskState.RETURNED):
        return {task.accepted_by_id} if task.accepted_by_id else set()
    if task.state == TaskState.ISSUED:
        return members(office_ids=office, on=today)[task.office_id]
    if task.state == TaskState.CONFIRMING:
        return members(office_ids=office, on=today, heads_only=True)[task.office_id]
    if task.state == TaskState.REVIEWING:
        reviewers = holders(power=Power.REVIEW, office_ids=office)[task.office_id]
        return reviewers - members(office_ids=office, on=today)[task.office_id]
    return set()


def rules_of(task: Task) -> list[ScoringRule]:
    """The rules of the clause and of its row; for a task about a whole row, all rules of the row."""
    rules = ScoringRule.objects.filter(indicator=task.indicator_id).order_by("position")
    if task.clause_id:
        rules = rules.filter(Q(clause_id=task.clause_id) | Q(clause=None))
    return list(rules)


def doubts_of(task: Task, rules: list[ScoringRule]) -> list[Doubt]:
    """What the notice leaves in doubt about the task's place, its deadline or its rules."""
    codes = {str(rule.params["doubt"]) for rule in rules if rule.params.get("doubt")}
    if task.deadline_id and task.deadline.params.get("doubt"):
        codes.add(str(task.deadline.params["doubt"]))
    where = {task.indicator.code}
    if task.clause_id and task.clause.no is not None:
        where.add(f"{task.indicator.code}/{task.clause.no}")
    found = Doubt.objects.filter(version_id=task.version_id)
    return list(found.filter(Q(code__in=codes) | Q(where__in=where)))


def previous_of(task: Task) -> Task | None:
    """The same matter of the same office in the last period for which something was filed."""
    same = ("version_id", "office_id", "indicator_id", "clause_id", "deadline_id", "role")
    before = Task.objects.filter(
        **{name: getattr(task, name) for name in same}, due_at__lt=task.due_at, first_submitted_at__isnull=False
    )
    return before.order_by("-due_at", "-id").first()


def provided_to(task: Task) -> list[Task]:
    """For the office that collects: the tasks of the others, each with what it `filed`, the last first."""
    filed = Submission.objects.exclude(submitted_at=None).order_by("-number").prefetch_related("evidence__blob")
    return list(
        task.provided.exclude(state=TaskState.CANCELLED)
        .select_related("office")
        .order_by("office__position", "id")
        .prefetch_related(Prefetch("submissions", queryset=filed, to_attr="filed"))
    )
