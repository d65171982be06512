"""The page of a scorecard: the notice's structure with what was earned, and why."""

from dataclasses import dataclass, field
from decimal import Decimal

from assessments.digest import findings_shown
from assessments.models import Finding, Scorecard, ScoreEntry
from assessments.operations.recompute import OPEN_STATES, totals_of
from assessments.queries.cards import mark_superseded
from assessments.rows import Row, load_rows
from schemes.models import Clause, Indicator, ScoringRule, Section
from scoring.breakdown import Breakdown, BreakdownError, Flag, Line
from scoring.points import ZERO


@dataclass
class ClauseView:
    """One clause of the notice on the page. `entry` None: it has no points of its own, its row scores for it."""

    clause: Clause | None
    label: str
    entry: ScoreEntry | None
    breakdown: Breakdown | None
    rules: list[ScoringRule]
    findings: list[Finding]
    judgeable: Decimal | None  # the points that a person may award, where no rule decides

    @property
    def lines(self) -> tuple[Line, ...]:
        """Why: every step that led to the points."""
        return self.breakdown.lines if self.breakdown else ()

    @property
    def open(self) -> bool:
        return self.entry is not None and self.entry.state in OPEN_STATES


@dataclass
class RowView:
    """One row: 项目 | 内容 | 分值 | 得分 | 为什么. `points`, `earned`: this office's part of it."""

    indicator: Indicator
    points: Decimal | None
    earned: Decimal | None
    shared: bool
    entry: ScoreEntry | None  # the row's own entry
    breakdown: Breakdown | None
    clauses: list[ClauseView]
    rules: list[ScoringRule]  # of the whole row
    findings: list[Finding]  # about the whole row
    flags: list[Flag]
    judgeable: Decimal | None

    @property
    def entries(self) -> list[ScoreEntry]:
        own = [self.entry] if self.entry else []
        return [*(view.entry for view in self.clauses if view.entry), *own]

    @property
    def open(self) -> int:
        return sum(entry.state in OPEN_STATES for entry in self.entries)

    @property
    def lines(self) -> tuple[Line, ...]:
        return self.breakdown.lines if self.breakdown else ()


@dataclass
class SectionView:
    section: Section
    points: Decimal
    earned: Decimal | None
    rows: list[RowView] = field(default_factory=list)

    @property
    def open(self) -> int:
        return sum(row.open for row in self.rows)


def entries_of(scorecard: Scorecard) -> list[SectionView]:
    """A scorecard in the notice's structure, in a constant number of queries. Shared rows are in no sum here."""
    entries: dict[int, dict[int | None, ScoreEntry]] = {}
    for entry in scorecard.entries.order_by("id"):
        entries.setdefault(entry.indicator_id, {})[entry.clause_id] = entry
    findings: dict[int, list[Finding]] = {}
    rows = load_rows(scorecard.version, entries)
    standing = list(
        findings_shown(scorecard).select_related("rule", "recorded_by", "task", "evidence", "scorecard__office")
    )
    mark_superseded(rows, standing)
    for finding in standing:
        findings.setdefault(finding.indicator_id, []).append(finding)
    sections: dict[int, SectionView] = {}
    for row in rows:
        section = row.indicator.section
        view = _row_view(row, entries[row.indicator.pk], findings.get(row.indicator.pk, []), scorecard.office_id)
        sections.setdefault(section.pk, SectionView(section, ZERO, None)).rows.append(view)
    for view in sections.values():
        own = [entry for row in view.rows for entry in row.entries]
        view.points, view.earned, _open = totals_of(own)
    return list(sections.values())


def read(entry: ScoreEntry | None) -> Breakdown | None:
    if entry is None:
        return None
    try:
        return Breakdown.from_json(entry.breakdown)
    except BreakdownError:
        return None  # of another engine: the page says so, verify names it


def _row_view(row: Row, entries: dict[int | None, ScoreEntry], findings: list[Finding], office_id: int) -> RowView:
    own = entries.get(None)
    whole = read(own)
    children = dict(zip([c.pk for c in row.clauses], whole.children, strict=True)) if whole and whole.children else {}
    mine = {clause.pk for clause in row.clauses if office_id in row.offices_of(clause)}
    clauses = [
        ClauseView(
            clause=clause,
            label=row.label(clause),
            entry=entries.get(clause.pk),
            breakdown=read(entries.get(clause.pk)) or children.get(clause.pk),
            rules=row.rules_of(clause),
            findings=[finding for finding in findings if finding.clause_id == clause.pk],
            judgeable=row.judgeable(clause) if row.figures else None,
        )
        for clause in row.clauses
        if clause.pk in mine
    ]
    scored = [entry for entry in entries.values() if entry.max_points is not None]
    known = [entry.earned for entry in entries.values() if entry.earned is not None]
    flags = list(whole.flags if whole else ())
    flags += [flag for view in clauses if view.breakdown for flag in view.breakdown.flags]
    return RowView(
        indicator=row.indicator,
        points=sum((entry.max_points for entry in scored), ZERO) if scored else None,
        earned=sum(known, ZERO) if known else None,
        shared=any(entry.shared for entry in entries.values()),
        entry=own,
        breakdown=whole,
        clauses=clauses,
        rules=row.rules_of(None),
        findings=[finding for finding in findings if finding.clause_id is None],
        flags=list({(flag.kind, flag.rule_id): flag for flag in flags}.values()),
        judgeable=None if row.figures else row.judgeable(None),
    )
