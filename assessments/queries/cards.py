"""Scorecards, reviews, signatures and findings, as one person may see them."""

from collections.abc import Iterable

from django.db.models import Q

from accounts.errors import NotVisible
from accounts.grants import Scope
from accounts.models import Office
from assessments.digest import findings_shown
from assessments.models import Finding, Review, Scorecard, SignOff
from assessments.rows import Row, load_rows
from schemes.models import Clause, Indicator, Responsibility, SchemeVersion
from tasks.models import Evidence, Task, TaskState

# how many tasks, and how many files, are offered for a link
LINKABLE = 60


def _cards(scope: Scope):
    return Scorecard.objects.filter(office_id__in=scope.readable).select_related("office", "version", "finished_by")


def scorecard_for(*, office: Office, version: SchemeVersion, scope: Scope) -> Scorecard:
    """The office's scorecard of a year, for its members, reviewers, coordinators and leaders; else NotVisible."""
    card = _cards(scope).filter(office=office, version=version).first()
    if card is None:
        raise NotVisible()
    return card


def get_card(scorecard_id: int, *, scope: Scope) -> Scorecard:
    """The scorecard, or NotVisible: what one may not see is not there."""
    card = _cards(scope).filter(pk=scorecard_id).first()
    if card is None:
        raise NotVisible()
    return card


def scorecards_of(*, version: SchemeVersion, scope: Scope) -> list[Scorecard]:
    """The scorecards of a year that this person may see, in the order of the offices."""
    return list(_cards(scope).filter(version=version).order_by("office__position", "office_id"))


def to_sign(scope: Scope) -> list[Scorecard]:
    """等我定, for a leader: finished by a reviewer, waiting for the signature; the longest waiting first."""
    cards = _cards(scope).filter(state=Scorecard.State.FINISHED, office_id__in=scope.sign)
    return list(cards.order_by("held_since", "id"))


def to_score(scope: Scope) -> list[Scorecard]:
    """等我定, for a reviewer: open scorecards of offices the reviewer does not belong to."""
    cards = _cards(scope).filter(state=Scorecard.State.OPEN, office_id__in=scope.review - scope.member)
    return list(cards.order_by("held_since", "id"))


def reviews_of(task: Task) -> list[Review]:
    """Every decision on what a task filed, oldest first."""
    found = Review.objects.filter(submission__task=task).select_related("reviewer", "submission")
    return list(found.order_by("at", "id"))


def signature_of(scorecard: Scorecard) -> SignOff | None:
    """The signature that was not withdrawn. Whether it still covers the figures: operations.signature_stands."""
    return SignOff.objects.filter(scorecard=scorecard, withdrawn_at=None).select_related("signer").first()


def signatures_of(scorecard: Scorecard) -> list[SignOff]:
    """Every signature, withdrawn ones too, oldest first."""
    return list(scorecard.signatures.select_related("signer", "withdrawn_by").order_by("id"))


def findings_of(
    *,
    scorecard: Scorecard,
    indicator: Indicator | None = None,
    clause: Clause | None = None,
    voided: bool = False,
) -> list[Finding]:
    """The findings behind a scorecard, oldest first; `voided` adds the withdrawn ones.

    Findings that another office's scorecard holds about a shared row are among them. `superseded` on each says that a
    later judgement took its place.
    """
    found = findings_shown(scorecard)
    if voided:
        ids = scorecard.findings.exclude(voided_at=None).values("pk")
        found = found | Finding.objects.filter(pk__in=ids)
    if indicator is not None:
        found = found.filter(indicator=indicator)
    if clause is not None:
        found = found.filter(clause=clause)
    findings = list(
        found.select_related(
            "indicator", "clause", "rule", "recorded_by", "voided_by", "task", "evidence", "scorecard__office"
        ).order_by("id")
    )
    rows = load_rows(scorecard.version, {finding.indicator_id for finding in findings})
    mark_superseded(rows, findings)
    return findings


def mark_superseded(rows: Iterable[Row], findings: list[Finding]) -> None:
    by_row: dict[int, list[Finding]] = {}
    for finding in findings:
        by_row.setdefault(finding.indicator_id, []).append(finding)
    counting = {finding.pk for row in rows for finding in row.counting(by_row.get(row.indicator.pk, []))}
    for finding in findings:
        finding.superseded = finding.voided_at is None and finding.pk not in counting


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


def linkable(card: Scorecard, row: Row) -> tuple[list[Task], list[Evidence]]:
    """The office's tasks of this row, and what was filed for them: what a fact may be linked with."""
    tasks = list(
        Task.objects.filter(office_id=card.office_id, version_id=card.version_id, indicator_id=row.indicator.pk)
        .exclude(state=TaskState.CANCELLED)
        .order_by("due_at", "pk")[:LINKABLE]
    )
    evidence = list(
        Evidence.objects.filter(submission__task__in=[task.pk for task in tasks])
        .exclude(submission__submitted_at=None)
        .select_related("submission__task")
        .order_by("submission__task__due_at", "pk")[:LINKABLE]
    )
    return tasks, evidence


def get_finding(finding_id: int, *, card: Scorecard) -> Finding:
    """A finding of this scorecard, withdrawn or not."""
    finding = (
        Finding.objects.select_related("scorecard__office", "indicator", "clause", "rule", "recorded_by", "voided_by")
        .filter(pk=finding_id, scorecard=card)
        .first()
    )
    if finding is None:
        raise NotVisible()
    return finding
