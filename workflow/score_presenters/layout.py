"""A scorecard as it is shown: sections, rows, lines, findings, and what a signer must see first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from assessments.models import Finding, Scorecard, ScoreEntry
from schemes.models import Doubt, Indicator, Section
from scoring.points import ZERO, format_points
from workflow.score_presenters.words import DASH, points_words, signed

OPEN_STATES = frozenset({ScoreEntry.State.UNRESOLVED, ScoreEntry.State.JUDGED_MISSING})


@dataclass
class LineView:
    """One entry: what the notice asks for, the points, and why they are what they are."""

    label: str
    content: list[str]
    max_points: Decimal | None
    earned: Decimal | None
    state: str
    shared: bool
    reason: str
    why: dict[str, Any]
    doubts: list[Doubt]
    whole_row: bool = False
    veto: list[str] = field(default_factory=list)
    zeroed: bool = False
    indicator_id: int = 0
    clause_id: int | None = None

    @property
    def points(self) -> str:
        return points_words(self.max_points)

    @property
    def open(self) -> bool:
        return self.state in OPEN_STATES

    @property
    def deducted(self) -> bool:
        if self.earned is None:
            return False
        return self.earned < (ZERO if self.max_points is None else self.max_points)

    @property
    def lost(self) -> Decimal:
        return (ZERO if self.max_points is None else self.max_points) - self.earned if self.deducted else ZERO

    @property
    def earned_words(self) -> str:
        """0.35; 待定; for the line of a whole row, what it adds or takes."""
        if self.state == ScoreEntry.State.IN_ROW:
            return _("计入本项")
        if self.open:
            waiting = _("待定") if self.state == ScoreEntry.State.UNRESOLVED else _("待评定")
            return waiting if self.earned is None else f"{format_points(self.earned)}({waiting})"
        if self.earned is None:
            return DASH
        return signed(self.earned) if self.whole_row and self.max_points is None else format_points(self.earned)

    @property
    def why_text(self) -> str:
        """The explanation as plain lines, for the spreadsheet and the paper."""
        return "\n".join(_lines_of(self.why))


@dataclass
class RowView:
    indicator: Indicator
    lines: list[LineView] = field(default_factory=list)

    @property
    def code(self) -> str:
        return self.indicator.code

    @property
    def title(self) -> str:
        return self.indicator.title

    @property
    def anchor(self) -> str:
        return f"row-{self.indicator.pk}"

    @property
    def printed(self) -> str:
        """The points the notice prints for the whole row, whoever answers for parts of it."""
        return points_words(self.indicator.points)


@dataclass
class SectionView:
    section: Section
    rows: list[RowView] = field(default_factory=list)

    @property
    def lines(self) -> list[LineView]:
        return [line for row in self.rows for line in row.lines]

    @property
    def title(self) -> str:
        return f"{self.section.no}、{self.section.title}" if self.section.no else self.section.title

    @property
    def anchor(self) -> str:
        return f"section-{self.section.pk}"

    @property
    def max_points(self) -> Decimal:
        return sum((line.max_points for line in _own(self.lines) if line.max_points is not None), ZERO)

    @property
    def earned(self) -> Decimal | None:
        return known_sum(line.earned for line in _own(self.lines))

    @property
    def open(self) -> int:
        return sum(line.open for line in self.lines)

    @property
    def points_text(self) -> str:
        return points_words(self.max_points)

    @property
    def earned_text(self) -> str:
        return points_words(self.earned)


@dataclass
class CardView:
    """A whole scorecard. `sections` may be narrowed by a filter; the totals are the card's own."""

    card: Scorecard
    sections: list[SectionView]
    findings: list["FindingView"]

    @property
    def lines(self) -> list[LineView]:
        return [line for section in self.sections for line in section.lines]

    @property
    def open_lines(self) -> list[LineView]:
        return [line for line in self.lines if line.open]

    @property
    def deducted_lines(self) -> list[LineView]:
        return [line for line in self.lines if line.deducted]

    @property
    def shared_lines(self) -> list[LineView]:
        return [line for line in self.lines if line.shared]

    @property
    def lost(self) -> Decimal:
        return sum((line.lost for line in _own(self.lines)), ZERO)

    @property
    def lost_words(self) -> str:
        return format_points(self.lost)

    @property
    def earned_words(self) -> str:
        return points_words(self.card.earned)

    @property
    def points(self) -> str:
        return points_words(self.card.max_points)

    @property
    def exceptions(self) -> list["Notable"]:
        return exceptions_of(self.lines)


@dataclass(frozen=True)
class Notable:
    """Something a signer must see before anything else. `kind` orders them."""

    kind: str
    title: str
    words: str
    anchor: str


def exceptions_of(lines: Iterable[LineView]) -> list[Notable]:
    found = []
    for line in lines:
        anchor = f"row-{line.indicator_id}"
        if line.veto:
            found.append(Notable("veto", _("一票否决"), f"{line.label} {';'.join(line.veto)}", anchor))
        if line.open:
            found.append(Notable("open", _("待定"), f"{line.label} {line.reason}", anchor))
        elif line.zeroed:
            found.append(Notable("zero", _("不得分"), f"{line.label} {line.reason}", anchor))
        elif line.deducted:
            found.append(Notable("cost", f"−{format_points(line.lost)}", f"{line.label} {line.reason}", anchor))
    order = {"open": 0, "veto": 1, "zero": 2, "cost": 3}
    return sorted(found, key=lambda item: order[item.kind])


def known_sum(values: Iterable[Decimal | None]) -> Decimal | None:
    """The sum of what is known; None while nothing is."""
    known = [value for value in values if value is not None]
    return sum(known, ZERO) if known else None


def _own(lines: Iterable[LineView]) -> list[LineView]:
    """Without what is shared: those points are nobody's own, they count for the unit only."""
    return [line for line in lines if not line.shared]


@dataclass
class FindingView:
    finding: Finding
    label: str
    quote: str
    words: str
    evidence: list[dict[str, str]]
    superseded: bool
    foreign: bool

    @property
    def pk(self) -> int:
        return self.finding.pk

    @property
    def voided(self) -> bool:
        return self.finding.voided_at is not None


def _lines_of(node: Mapping[str, Any], depth: int = 0) -> list[str]:
    """A breakdown as indented lines of text."""
    head = "　" * max(0, depth - 1) + (f"{node['label']} {node['value']}".strip())
    tail = [
        node.get("note"),
        node.get("rule") and _("规则:{text}").format(text=node["rule"]),
        node.get("fact") and _("事实:{text}").format(text=node["fact"]),
        node.get("evidence")
        and _("依据:{text}").format(text=_("、").join(item["label"] for item in node["evidence"] if item["label"])),
        node.get("person")
        and _("记录:{who} {day}").format(who=node["person"], day=f"{node['at']:%Y-%m-%d}" if node.get("at") else ""),
        node.get("warning") and _("注意:{text}").format(text=node["warning"]),
    ]
    said = [part for part in tail if part]
    lines = [] if depth == 0 and not said else [head + (_("：") + _("；").join(said) if said else "")]
    for child in node.get("children") or ():
        if child.get("kind") != "unused":
            lines += _lines_of(child, depth + 1)
    return lines


def narrowed(view: CardView, *, show: str, text: str) -> CardView:
    """Only the lines that a filter asks for. Rows and sections without any are left out."""
    text = text.strip().lower()

    def wanted(row: RowView, line: LineView) -> bool:
        if (show == "open" and not line.open) or (show == "deducted" and not line.deducted):
            return False
        if not text:
            return True
        return any(text in part.lower() for part in (line.label, row.title, line.reason, *line.content))

    sections = []
    for section in view.sections:
        rows = []
        for row in section.rows:
            lines = [line for line in row.lines if wanted(row, line)]
            if lines:
                rows.append(RowView(row.indicator, lines))
        if rows:
            sections.append(SectionView(section.section, rows))
    return CardView(view.card, sections, view.findings)
