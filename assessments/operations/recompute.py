"""From findings to points: only the rows a change touches are computed again, and only what differs is written."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from assessments.errors import SharedRowClosed
from assessments.models import Finding, Scorecard, ScoreEntry
from assessments.operations.common import copy_to, how_to_open, lock_cards
from assessments.rows import UNRESOLVED, Result, Row, load_rows
from schemes.models import Indicator
from scoring.breakdown import ENGINE_VERSION
from scoring.points import ZERO

OPEN_STATES = (UNRESOLVED, ScoreEntry.State.JUDGED_MISSING)
COMPUTED = ("earned", "state", "breakdown", "rule_digest", "engine_version")


@dataclass(frozen=True)
class Change:
    """One entry that was written, and what it earned before."""

    entry: ScoreEntry
    before: Decimal | None


def recompute(*, scorecard: Scorecard, indicator: Indicator | None = None, at: datetime) -> list[ScoreEntry]:
    """Compute a scorecard (or one row of it) from its findings. Returns the entries that changed; none: all was right.

    A row that several offices answer for is computed on all their scorecards. SharedRowClosed if that would change
    one that is not open.
    """
    with transaction.atomic():
        every = scorecard.entries.values_list("indicator_id", flat=True)
        ids = set(every) if indicator is None else {indicator.pk}
        cards = lock_cards(scorecard, ids)
        changes = apply(cards=cards, rows=load_rows(scorecard.version, ids), at=at)
        copy_to(scorecard, cards[scorecard.pk])
    return [change.entry for change in changes]


def apply(*, cards: dict[int, Scorecard], rows: list[Row], at: datetime) -> list[Change]:
    """Write what the findings of these rows make of the (locked) scorecards that show them."""
    findings, entries = _stored(cards, rows)
    changes = []
    for row in rows:
        if not entries.get(row.indicator.pk):
            continue
        results = row.results(findings.get(row.indicator.pk, []))
        for entry in entries[row.indicator.pk]:
            before = entry.earned
            if put(entry, results[entry.clause_id], at):
                changes.append(Change(entry, before))
    touched = {change.entry.scorecard_id for change in changes}
    for pk in touched:
        card = cards[pk]
        if card.state != Scorecard.State.OPEN:
            raise SharedRowClosed(office=card.office, state=card.get_state_display(), how=how_to_open(card))
    if changes:
        ScoreEntry.objects.bulk_update([change.entry for change in changes], [*COMPUTED, "computed_at"])
    for pk in touched:
        total(cards[pk])
        cards[pk].revision += 1
        cards[pk].save(update_fields=["earned", "unresolved", "max_points", "revision"])
    return changes


def _stored(
    cards: dict[int, Scorecard], rows: Iterable[Row]
) -> tuple[dict[int, list[Finding]], dict[int, list[ScoreEntry]]]:
    ids = [row.indicator.pk for row in rows]
    findings: dict[int, list[Finding]] = {}
    for finding in Finding.objects.filter(scorecard__in=cards, indicator_id__in=ids, voided_at=None):
        findings.setdefault(finding.indicator_id, []).append(finding)
    entries: dict[int, list[ScoreEntry]] = {}
    for entry in ScoreEntry.objects.filter(scorecard__in=cards, indicator_id__in=ids).order_by("id"):
        entries.setdefault(entry.indicator_id, []).append(entry)
    return findings, entries


def computed(result: Result) -> dict[str, object]:
    """The computed columns of an entry."""
    return {
        "earned": result.earned,
        "state": result.state,
        "breakdown": result.breakdown.to_json(),
        "rule_digest": result.rule_digest,
        "engine_version": ENGINE_VERSION,
    }


def put(entry: ScoreEntry, result: Result, at: datetime) -> bool:
    """Put a result on an entry; False if it says so already."""
    fresh = computed(result)
    if all(getattr(entry, name) == value for name, value in fresh.items()):
        return False
    for name, value in fresh.items():
        setattr(entry, name, value)
    entry.computed_at = at
    return True


def total(card: Scorecard) -> None:
    """The totals of a scorecard from its entries. Shared points are nobody's own: they count for the unit only."""
    card.max_points, card.earned, card.unresolved = totals_of(card.entries.order_by())


def totals_of(entries: Iterable[ScoreEntry]) -> tuple[Decimal, Decimal | None, int]:
    """(full points, earned so far, open items); earned is None while nothing at all is known."""
    entries = list(entries)
    own = [entry for entry in entries if not entry.shared]
    known = [entry.earned for entry in own if entry.earned is not None]
    earned = sum(known, ZERO) if known or not own else None
    unresolved = sum(entry.state in OPEN_STATES for entry in entries)
    return sum((entry.max_points for entry in own if entry.max_points is not None), ZERO), earned, unresolved
