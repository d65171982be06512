"""The unit as a whole: sections, total, and its offices beside each other."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from django.utils.translation import gettext as _

from accounts.models import Office
from assessments.models import Scorecard, ScoreEntry
from assessments.operations.recompute import OPEN_STATES
from assessments.queries.page import read
from assessments.rows import Row, Slot, load_rows
from schemes.models import SchemeVersion, Section
from scoring.breakdown import Flag
from scoring.points import ZERO, quotient

PERCENT_PLACES = 2


@dataclass(frozen=True)
class Missing:
    """One item of the unit that cannot be counted yet, and why."""

    label: str
    offices: tuple[str, ...]
    reason: str


@dataclass
class SectionSum:
    section: Section
    points: Decimal
    earned: Decimal | None
    missing: int = 0
    flags: list[tuple[str, Flag]] = field(default_factory=list)  # (row's code, flag)


@dataclass
class UnitSummary:
    """The unit's result. `earned` is partial as long as anything is missing; `complete` says whether it is final."""

    points: Decimal
    earned: Decimal | None
    sections: list[SectionSum]
    missing: list[Missing]

    @property
    def complete(self) -> bool:
        return not self.missing

    @property
    def flags(self) -> list[tuple[str, Flag]]:
        return [flag for section in self.sections for flag in section.flags]


def unit_summary(version: SchemeVersion) -> UnitSummary:
    """Sections and total of the unit: each item once, whichever scorecards show it.

    A section is never above its printed points, nor the total above the scheme's. A rule that zeroes a whole section
    (zero_section) does so here; the offices' scorecards keep their points and show the flag. Without bonus points.
    """
    entries: dict[tuple[int, int | None], ScoreEntry] = {}
    for entry in ScoreEntry.objects.filter(scorecard__version=version).order_by("id"):
        entries.setdefault((entry.indicator_id, entry.clause_id), entry)
    rows = load_rows(version)
    offices = _names(rows)
    sections: dict[int, SectionSum] = {}
    missing: list[Missing] = []
    for row in rows:
        section = row.indicator.section
        line = sections.setdefault(section.pk, SectionSum(section, ZERO, None))
        for slot in row.slots():
            entry = entries.get((row.indicator.pk, slot.clause_id))
            line.points += slot.max_points or ZERO
            if entry is not None and entry.earned is not None:
                line.earned = (line.earned or ZERO) + entry.earned
            reasons = _reasons(row, slot, entry)
            line.missing += bool(reasons)
            names = tuple(offices[pk] for pk in slot.offices)
            missing += [Missing(row.label(slot.clause), names, reason) for reason in reasons]
            for flag in _flags(entry):
                if (row.code, flag) not in line.flags:
                    line.flags.append((row.code, flag))
    for line in sections.values():
        if line.section.points is not None and line.earned is not None:
            line.earned = min(line.earned, line.section.points)
        if any(flag.kind == "zero_section" for _code, flag in line.flags):
            line.earned = ZERO
    known = [line.earned for line in sections.values() if line.earned is not None]
    earned = sum(known, ZERO) if known else None
    if version.points is not None and earned is not None:
        earned = min(earned, version.points)
    points = sum((line.points for line in sections.values()), ZERO)
    return UnitSummary(points, earned, list(sections.values()), missing)


def _names(rows: list[Row]) -> dict[int, str]:
    ids = {pk for row in rows for slot in row.slots() for pk in slot.offices}
    return dict(Office.objects.filter(pk__in=ids).values_list("pk", "name"))


def _reasons(row: Row, slot: Slot, entry: ScoreEntry | None) -> list[str]:
    if entry is None:
        return [_("尚未建立得分表")]
    if entry.state not in OPEN_STATES:
        return []
    own = entry.breakdown["unresolved"]
    if slot.clause is None and row.figures:  # the clauses name their own
        keys = tuple(f"{row.label(clause)}:" for clause in row.figures)
        own = [reason for reason in own if not reason.startswith(keys)]
    prefix = f"{row.label(slot.clause)}:"
    return [reason.removeprefix(prefix) for reason in own]


def _flags(entry: ScoreEntry | None) -> tuple[Flag, ...]:
    breakdown = read(entry)
    return breakdown.flags if breakdown else ()


@dataclass(frozen=True)
class OfficeResult:
    """An office in the ranking. `percent` is earned ÷ full points, rounded half-up to two places; None while anything
    is open. `place` only for signed scorecards, equal percentages share a place."""

    card: Scorecard
    office: Office
    earned: Decimal | None
    max_points: Decimal
    percent: Decimal | None
    unresolved: int
    signed: bool
    place: int | None = None


def offices_ranking(version: SchemeVersion) -> list[OfficeResult]:
    """Offices by the share of their points they earned: signed ones first, each with its place."""
    results = []
    for card in Scorecard.objects.filter(version=version).select_related("office", "version"):
        percent = None
        if card.earned is not None and card.max_points and not card.unresolved:
            percent = quotient(max(card.earned, ZERO) * 100, card.max_points, PERCENT_PLACES)
        signed = card.state == Scorecard.State.SIGNED
        results.append(OfficeResult(card, card.office, card.earned, card.max_points, percent, card.unresolved, signed))
    results.sort(key=lambda r: (not r.signed, r.percent is None, -(r.percent or ZERO), r.office.position, r.office.pk))
    ranked = [r.percent for r in results if r.signed and r.percent is not None]
    return [
        replace(r, place=1 + sum(other > r.percent for other in ranked)) if r.signed and r.percent is not None else r
        for r in results
    ]
