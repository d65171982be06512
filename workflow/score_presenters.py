"""A scorecard as it is shown: sections, rows, lines, and why each figure is what it is.

The screen, the paper and the spreadsheet are made from this one layout, so that they cannot differ. Only `read` and
`read_unit` ask the database; nothing here reads a clock.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db.models import F
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.grants import Scope
from assessments import operations as assessments
from assessments.digest import findings_shown
from assessments.models import Finding, Scorecard, ScoreEntry
from assessments.queries import Missing, OfficeResult, UnitSummary, offices_ranking, unit_summary
from assessments.rows import Row
from schemes.models import Clause, Doubt, Indicator, SchemeVersion, ScoringRule, Section
from scoring.breakdown import Breakdown, BreakdownError, Line
from scoring.facts import InputSpec, required_inputs
from scoring.points import ZERO, PointsError, format_points, parse_points
from scoring.rules import Rule, RuleError, describe, parse_rule

OPEN_STATES = frozenset({ScoreEntry.State.UNRESOLVED, ScoreEntry.State.JUDGED_MISSING})
DASH = "—"
SHORT_DIGEST = 12
BADGES = {
    Scorecard.State.OPEN: "accepted",
    Scorecard.State.FINISHED: "reviewing",
    Scorecard.State.SIGNED: "approved",
}
# what assessments.queries.unit_summary says about an item without a scorecard
NOT_OPENED = "尚未建立得分表"


def badge(card: Scorecard) -> dict[str, str]:
    """What components/state_badge.html shows."""
    return {"state": BADGES[card.state], "label": card.get_state_display()}


def points_words(points: Decimal | None) -> str:
    return DASH if points is None else format_points(points)


def signed(points: Decimal) -> str:
    """+0.1, −0.05, 0: a change, with its sign."""
    return f"+{format_points(points)}" if points > 0 else f"−{format_points(-points)}" if points < 0 else "0"


def grouped_digest(digest: str) -> str:
    """The full digest in groups of eight, as people compare it."""
    return " ".join(digest[start : start + 8] for start in range(0, len(digest), 8))


def short_digest(digest: str) -> str:
    return digest[:SHORT_DIGEST]


# ------------------------------------------------------------------ rules and facts in words


@lru_cache(maxsize=2048)
def _read(params: str) -> tuple[Rule | None, str]:
    try:
        rule = parse_rule(json.loads(params))
    except RuleError:
        return None, ""
    return rule, describe(rule)


def parsed(rule: ScoringRule) -> Rule | None:
    return _read(json.dumps(rule.params, ensure_ascii=False, sort_keys=True))[0]


def rule_words(rule: ScoringRule) -> str:
    """The rule read back in plain Chinese."""
    return _read(json.dumps(rule.params, ensure_ascii=False, sort_keys=True))[1] or rule.quote


def rule_line(rule: ScoringRule) -> str:
    return _("原文“{quote}” → {words}").format(quote=rule.quote, words=rule_words(rule))


def label_of(indicator: Indicator, clause: Clause | None) -> str:
    """1.13/4; the row itself 1.13; an unnumbered paragraph by its place. As assessments.rows names them."""
    if clause is None:
        return indicator.code
    if clause.no is not None:
        return f"{indicator.code}/{clause.no}"
    clauses = list(indicator.clauses.all())
    if len(clauses) == 1:
        return indicator.code
    place = [c.pk for c in clauses].index(clause.pk) + 1
    return f"{indicator.code}/{_('第{n}段').format(n=place)}"


def short_label(spec: InputSpec, rule: Rule | None) -> str:
    """The label of an input without the name of its rule, where the rule is named beside it."""
    start = f"{rule.asked}:" if rule is not None else ""
    return spec.label.removeprefix(start)


def fact_words(finding: Finding, rule: Rule | None) -> str:
    """What was recorded: 数量 3起;认定扣分 0.2分"""
    said = []
    for spec in required_inputs(rule):
        value = _recorded(finding, spec)
        if value is None:
            continue
        if spec.type == "flag":
            value = _("是") if value else _("否")
        elif isinstance(value, Decimal):
            value = f"{format_points(value)}{spec.unit or ''}"
        said.append(f"{short_label(spec, rule)} {value}")
    return ";".join(said)


def _recorded(finding: Finding, spec: InputSpec) -> Decimal | str | bool | None:
    if spec.name in ("count", "value", "points", "holds"):
        return getattr(finding, spec.name)
    if spec.name == "level":
        return finding.level or None
    text = finding.inputs.get(spec.name)
    try:
        return None if text is None else parse_points(str(text))
    except PointsError:
        return str(text)


# ------------------------------------------------------------------ the layout


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
    def exceptions(self) -> list["Exception_"]:
        return exceptions_of(self.lines)


@dataclass(frozen=True)
class Exception_:
    """Something a signer must see before anything else. `kind` orders them."""

    kind: str
    title: str
    words: str
    anchor: str


def exceptions_of(lines: Iterable[LineView]) -> list[Exception_]:
    found = []
    for line in lines:
        anchor = f"row-{line.indicator_id}"
        if line.veto:
            found.append(Exception_("veto", _("一票否决"), f"{line.label} {';'.join(line.veto)}", anchor))
        if line.open:
            found.append(Exception_("open", _("待定"), f"{line.label} {line.reason}", anchor))
        elif line.zeroed:
            found.append(Exception_("zero", _("不得分"), f"{line.label} {line.reason}", anchor))
        elif line.deducted:
            found.append(Exception_("cost", f"−{format_points(line.lost)}", f"{line.label} {line.reason}", anchor))
    order = {"open": 0, "veto": 1, "zero": 2, "cost": 3}
    return sorted(found, key=lambda item: order[item.kind])


def known_sum(values: Iterable[Decimal | None]) -> Decimal | None:
    """The sum of what is known; None while nothing is."""
    known = [value for value in values if value is not None]
    return sum(known, ZERO) if known else None


def _own(lines: Iterable[LineView]) -> list[LineView]:
    """Without what is shared: those points are nobody's own, they count for the unit only."""
    return [line for line in lines if not line.shared]


# ------------------------------------------------------------------ building it


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


@dataclass(frozen=True)
class Material:
    """What a layout is built from. `entries` come with their indicator, its section and clauses."""

    card: Scorecard
    entries: Sequence[ScoreEntry]
    findings: Sequence[Finding]
    rules: Sequence[ScoringRule]
    doubts: Sequence[Doubt]


def read(card: Scorecard) -> Material:
    """Everything a scorecard shows, in a constant number of queries."""
    entries = list(
        card.entries.select_related("indicator__section")
        .prefetch_related("indicator__clauses")
        .order_by(
            "indicator__section__position", "indicator__position", F("clause__position").asc(nulls_last=True), "id"
        )
    )
    indicators = {entry.indicator_id: entry.indicator for entry in entries}
    voided = Finding.objects.filter(pk__in=card.findings.exclude(voided_at=None).values("pk"))
    findings = list(
        (findings_shown(card) | voided)
        .select_related("clause", "rule", "recorded_by", "voided_by", "evidence", "scorecard__office")
        .order_by("occurred_on", "id")
    )
    for finding in findings:
        if finding.indicator_id in indicators:
            finding.indicator = indicators[finding.indicator_id]
    rules = list(ScoringRule.objects.filter(indicator__in=list(indicators)).order_by("position", "id"))
    doubts = list(Doubt.objects.filter(version=card.version_id).exclude(where=""))
    return Material(card, entries, findings, rules, doubts)


def view_of(card: Scorecard) -> "CardView":
    return card_view(read(card))


def card_view(material: Material) -> CardView:
    rules = {(rule.indicator_id, rule.code): rule for rule in material.rules}
    by_place: dict[tuple[int, int | None], list[ScoringRule]] = {}
    for rule in material.rules:
        by_place.setdefault((rule.indicator_id, rule.clause_id), []).append(rule)
    by_where: dict[str, list[Doubt]] = {}
    for doubt in material.doubts:
        by_where.setdefault(doubt.where, []).append(doubt)
    facts = {str(finding.pk): finding for finding in material.findings}
    with_figures = {entry.indicator_id for entry in material.entries if entry.clause_id is not None}
    sections: dict[int, SectionView] = {}
    rows: dict[int, RowView] = {}
    for entry in material.entries:
        indicator = entry.indicator
        section = sections.setdefault(indicator.section_id, SectionView(indicator.section))
        if indicator.pk not in rows:
            rows[indicator.pk] = RowView(indicator)
            section.rows.append(rows[indicator.pk])
        builder = _Builder(entry, rules, by_place, by_where, facts, indicator.pk in with_figures)
        rows[indicator.pk].lines.append(builder.line())
    used = {pk for entry in material.entries for pk in _fact_ids(entry.breakdown)}
    found = [_finding_view(finding, material.card, used) for finding in material.findings]
    return CardView(material.card, list(sections.values()), found)


def _fact_ids(data: Mapping[str, Any]) -> Iterable[str]:
    """The findings that a stored breakdown counts."""
    for line in data.get("lines", ()):
        yield from line.get("fact_ids", ())
    for child in data.get("children", ()):
        yield from _fact_ids(child)


@dataclass
class _Builder:
    entry: ScoreEntry
    rules: Mapping[tuple[int, str], ScoringRule]
    by_place: Mapping[tuple[int, int | None], list[ScoringRule]]
    by_where: Mapping[str, list[Doubt]]
    facts: Mapping[str, Finding]
    beside_figures: bool

    def line(self) -> LineView:
        entry, clause = self.entry, self.clause
        try:
            breakdown = Breakdown.from_json(entry.breakdown)
        except BreakdownError:
            breakdown = None
        label = label_of(entry.indicator, clause)
        doubts = list(self.by_where.get(label, ()))
        if clause is None:
            for other in self._covered():
                place = label_of(entry.indicator, other)
                doubts += [doubt for doubt in self.by_where.get(place, ()) if doubt not in doubts]
        reason = self.reason(breakdown)
        flags = [flag for flag in breakdown.flags if flag.kind == "veto"] if breakdown else []
        return LineView(
            label=_("{code} 整项").format(code=label) if self.whole_row else label,
            content=self.content(),
            max_points=entry.max_points,
            earned=entry.earned,
            state=entry.state,
            shared=entry.shared,
            reason=reason,
            why=self.why(breakdown, reason),
            doubts=doubts,
            whole_row=self.whole_row,
            # a row beside its clauses repeats their flags: each is said once
            veto=[
                flag.effect or _("原文未写明后果") for flag in flags if not self.whole_row or not self._of_clause(flag)
            ],
            zeroed=entry.earned == ZERO and bool(entry.max_points) and entry.state == ScoreEntry.State.SCORED,
            indicator_id=entry.indicator_id,
            clause_id=entry.clause_id,
        )

    @property
    def clause(self) -> Clause | None:
        if self.entry.clause_id is None:
            return None
        return next((c for c in self.entry.indicator.clauses.all() if c.pk == self.entry.clause_id), None)

    @property
    def whole_row(self) -> bool:
        return self.entry.clause_id is None and self.beside_figures

    def _of_clause(self, flag) -> bool:
        rule = self.rules.get((self.entry.indicator_id, flag.rule_id))
        return rule is not None and rule.clause_id not in {None, *(c.pk for c in self._covered())}

    def _covered(self) -> list[Clause]:
        """The clauses that the entry of a row speaks for."""
        clauses = list(self.entry.indicator.clauses.all())
        if self.whole_row:
            return [clause for clause in clauses if clause.points is None and not clause.unscored]
        return clauses

    def content(self) -> list[str]:
        if self.clause is not None:
            return [self.clause.text]
        texts = [clause.text for clause in self._covered()]
        return texts or [_("整项规定:对本项各条合计后的得分再作调整")]

    def own_rules(self) -> list[ScoringRule]:
        pk = self.entry.indicator_id
        if self.clause is not None:
            return self.by_place.get((pk, self.clause.pk), [])
        found = list(self.by_place.get((pk, None), ()))
        for clause in self._covered():
            found += self.by_place.get((pk, clause.pk), ())
        return found

    # -------------------------------------------------------- why

    def reason(self, breakdown: Breakdown | None) -> str:
        """Why, in a few words."""
        if breakdown is None:
            return _("计分明细由旧版本引擎生成,请重新计算")
        entry = self.entry
        if entry.state in OPEN_STATES:
            start = f"{breakdown.key}:"
            missing = [text.removeprefix(start) for text in self._missing(breakdown)]
            return ";".join(dict.fromkeys(missing)) or _("尚未评定")
        lines = breakdown.lines
        if self.whole_row:
            lines = tuple(line for line in lines if line.kind != "clause")
        if entry.state == ScoreEntry.State.IN_ROW and lines:
            return lines[-1].note
        said = [f"{signed(line.amount)} {line.label}" for line in lines if line.amount is not None and line.amount < 0]
        if not said:
            said = [line.note or line.label for line in lines if line.kind != "clause" and (line.note or line.label)][
                :2
            ]
        flags = [_("一票否决") for flag in breakdown.flags if flag.kind == "veto"]
        return ";".join(dict.fromkeys([*flags[:1], *said])) or _("按规定计分")

    def _missing(self, breakdown: Breakdown) -> list[str]:
        if not self.whole_row:
            return list(breakdown.unresolved)
        theirs = {f"{child.key}:{reason}" for child in breakdown.children for reason in child.unresolved}
        return [reason for reason in breakdown.unresolved if reason not in theirs]

    def why(self, breakdown: Breakdown | None, reason: str) -> dict[str, Any]:
        entry = self.entry
        value = points_words(entry.earned) if entry.earned is not None else _("待定")
        node: dict[str, Any] = {
            "label": _("为什么是 {value}").format(value=value),
            "value": "",
            "of": None,
            "children": [],
        }
        if breakdown is None:
            return node | {"warning": reason}
        if entry.state in OPEN_STATES:
            node["warning"] = _("尚不能定分:{why}").format(why=reason)
        if entry.shared:
            node["note"] = _("由几个处室共同承担,原文没有划分;不计入处室合计,全单位计一次。")
        node["children"] = [self._node(line) for line in breakdown.lines]
        said = {line.rule_id for line in breakdown.lines}
        unused = [rule_line(rule) for rule in self.own_rules() if rule.code not in said]
        if unused:
            node["children"].append({"label": _("没有触发的规则"), "value": "", "of": None, "rule": ";\n".join(unused)})
        return node

    def _node(self, line: Line) -> dict[str, Any]:
        rule = self.rules.get((self.entry.indicator_id, line.rule_id)) if line.rule_id else None
        found = [self.facts[pk] for pk in line.fact_ids if pk in self.facts]
        node = _line_node(line, rule)
        if rule is not None and (doubt := self._doubt(rule)):
            words = _("存疑 {code}:{question}。读作:{reading}").format(
                code=doubt.code, question=doubt.question, reading=doubt.reading
            )
            node["warning"] = ";".join(filter(None, [node["warning"], words]))
        if len(found) == 1:
            node |= self._finding(found[0], rule)
        else:
            node["children"] = [
                {"label": f"{f.occurred_on:%Y-%m-%d}", "value": "", "of": None} | self._finding(f, rule, child=True)
                for f in found
            ]
        return node

    def _doubt(self, rule: ScoringRule) -> Doubt | None:
        code = rule.params.get("doubt")
        if not code:
            return None
        return next((d for found in self.by_where.values() for d in found if d.code == code), None)

    @staticmethod
    def _finding(finding: Finding, rule: ScoringRule | None, *, child: bool = False) -> dict[str, Any]:
        day = "" if child else f"{finding.occurred_on:%Y-%m-%d}"
        said = [day, fact_words(finding, parsed(rule) if rule else None), finding.note]
        return {
            "fact": ";".join(part for part in said if part),
            "evidence": evidence_of(finding),
            "person": str(finding.recorded_by),
            "at": timezone.localtime(finding.recorded_at),
        }


def breakdown_node(breakdown: Breakdown, rules: Iterable[ScoringRule]) -> dict[str, Any]:
    """A result that is not stored yet, explained like those that are."""
    by_code = {rule.code: rule for rule in rules}
    children = []
    for line in breakdown.lines:
        rule = by_code.get(line.rule_id) if line.rule_id else None
        children.append(_line_node(line, rule))
    value = _("待定") if breakdown.earned is None else format_points(breakdown.earned)
    return {
        "label": _("为什么是 {value}").format(value=value),
        "value": "",
        "of": None,
        "children": children,
        "open": True,
    }


def _line_node(line: Line, rule: ScoringRule | None) -> dict[str, Any]:
    absolute = line.kind in ("start", "clause", "judged")
    value = _("待定") if line.amount is None else format_points(line.amount) if absolute else signed(line.amount)
    warning = ""
    if line.bit == "floor":
        warning = _("扣完为止:扣到 0 分,不再多扣")
    elif line.bit == "cap":
        warning = _("已到上限,超出部分不计")
    return {
        "label": line.label,
        "value": value,
        "of": None,
        "negative": line.amount is not None and line.amount < 0,
        "rule": rule_line(rule) if rule else "",
        "note": line.note if line.note != line.label else "",
        "warning": warning,
        "children": [],
    }


def evidence_of(finding: Finding) -> list[dict[str, str]]:
    """The basis, and where it can be looked at."""
    found = [{"label": finding.source, "url": ""}]
    if finding.task_id:
        found.append({"label": _("任务 {n}").format(n=finding.task_id), "url": f"/work/tasks/{finding.task_id}/"})
    if finding.evidence_id:
        url = reverse("tasks:evidence", args=[finding.evidence_id])
        found.append({"label": finding.evidence.name, "url": url})
    return found


def _finding_view(finding: Finding, card: Scorecard, used: set[str]) -> FindingView:
    rule = finding.rule
    return FindingView(
        finding=finding,
        label=label_of(finding.indicator, finding.clause),
        quote=rule.quote if rule else _("评定分"),
        words=fact_words(finding, parsed(rule) if rule else None),
        evidence=evidence_of(finding),
        superseded=finding.voided_at is None and str(finding.pk) not in used,
        foreign=finding.scorecard_id != card.pk,
    )


def _lines_of(node: Mapping[str, Any], depth: int = 0) -> list[str]:
    """A breakdown as indented lines of text."""
    head = "　" * max(0, depth - 1) + (f"{node['label']} {node['value']}".strip())
    tail = [
        node.get("note"),
        node.get("rule") and _("规则:{text}").format(text=node["rule"]),
        node.get("fact") and _("事实:{text}").format(text=node["fact"]),
        node.get("evidence")
        and _("依据:{text}").format(text="、".join(item["label"] for item in node["evidence"] if item["label"])),
        node.get("person")
        and _("记录:{who} {day}").format(who=node["person"], day=f"{node['at']:%Y-%m-%d}" if node.get("at") else ""),
        node.get("warning") and _("注意:{text}").format(text=node["warning"]),
    ]
    said = [part for part in tail if part]
    lines = [] if depth == 0 and not said else [head + ("：" + "；".join(said) if said else "")]
    for child in node.get("children") or ():
        if child.get("kind") != "unused":
            lines += _lines_of(child, depth + 1)
    return lines


# ------------------------------------------------------------------ filters


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


# ------------------------------------------------------------------ what is left to judge


def to_judge_full(view: CardView, rows: Iterable[Row]) -> list[tuple[LineView, Decimal]]:
    """What assessments.operations.judge_full would judge: open items that no rule decides, with their full points."""
    by_indicator = {row.indicator.pk: row for row in rows}
    judged = {
        (item.finding.indicator_id, item.finding.clause_id)
        for item in view.findings
        if item.finding.rule_id is None and not item.voided
    }
    found = []
    for line in view.open_lines:
        row = by_indicator[line.indicator_id]
        place = (line.indicator_id, line.clause_id)
        if (row.figures and line.clause_id is None) or place in judged:
            continue
        points = row.judgeable(next((c for c in row.clauses if c.pk == line.clause_id), None))
        if points is not None:
            found.append((line, points))
    return found


# ------------------------------------------------------------------ the unit


@dataclass(frozen=True)
class Standing:
    """A line of the ranking."""

    result: OfficeResult
    url: str
    badge: dict[str, str]
    changed: bool
    tied: bool
    distance: Decimal | None

    @property
    def earned(self) -> str:
        return points_words(self.result.earned)

    @property
    def points(self) -> str:
        return points_words(self.result.max_points)

    @property
    def percent(self) -> str:
        return "—" if self.result.percent is None else f"{format_points(self.result.percent)}%"

    @property
    def place(self) -> str:
        if self.result.place is None:
            return "—"
        return _("并列第 {n}").format(n=self.result.place) if self.tied else str(self.result.place)

    @property
    def behind(self) -> str:
        return "" if self.distance is None else _("{n} 个百分点").format(n=format_points(self.distance))


def standings(results: Iterable[OfficeResult]) -> list[Standing]:
    """The ranking with ties and the distance to the place before; only what is signed has a place."""
    results = list(results)
    placed = [r for r in results if r.place is not None]
    found = []
    for result in results:
        better = [r.percent for r in placed if result.place is not None and r.percent > result.percent]
        found.append(
            Standing(
                result=result,
                url=reverse("workflow:scorecard", args=[result.card.pk]),
                badge=badge(result.card),
                changed=result.signed and not assessments.signature_stands(result.card),
                tied=sum(r.place == result.place for r in placed) > 1 if result.place else False,
                distance=min(better) - result.percent if better else None,
            )
        )
    return found


@dataclass(frozen=True)
class SectionLine:
    title: str
    max_points: Decimal
    earned: Decimal | None
    open: int

    @property
    def points_text(self) -> str:
        return points_words(self.max_points)

    @property
    def earned_text(self) -> str:
        return points_words(self.earned)


@dataclass(frozen=True)
class UnitView:
    """A year of a unit, as far as this person may see it. `whole`: all of it, with the ranking and the sections."""

    version: SchemeVersion
    rows: list[Standing]
    whole: bool
    summary: UnitSummary | None

    @property
    def points(self) -> str:
        return points_words(self.summary.points)

    @property
    def earned(self) -> str:
        return points_words(self.summary.earned)

    @property
    def sections(self) -> list[SectionLine]:
        return [
            SectionLine(
                f"{s.section.no}、{s.section.title}" if s.section.no else s.section.title, s.points, s.earned, s.missing
            )
            for s in self.summary.sections
        ]

    @property
    def missing(self) -> list[Missing]:
        return self.summary.missing

    @property
    def open(self) -> int:
        return sum(section.missing for section in self.summary.sections)

    @property
    def vetoes(self) -> list[dict[str, str]]:
        return [
            {"code": code, "quote": flag.quote, "effect": flag.effect or _("原文未写明后果")}
            for code, flag in self.summary.flags
            if flag.kind == "veto"
        ]

    @property
    def signed(self) -> int:
        return sum(row.result.signed for row in self.rows)

    @property
    def unsigned(self) -> bool:
        """Whether anything shown here is not signed, or no longer as it was signed."""
        return any(not row.result.signed or row.changed for row in self.rows)

    @property
    def unopened(self) -> bool:
        return self.summary is not None and any(item.reason == NOT_OPENED for item in self.missing)


def read_unit(version: SchemeVersion, scope: Scope) -> UnitView:
    """The year as this person may see it. Who does not see every office is told no place among them."""
    everything = offices_ranking(version)
    visible = [result for result in everything if result.card.office_id in scope.readable]
    judges = bool(scope.coordinate | scope.sign | scope.review)
    whole = judges and bool(everything) and len(visible) == len(everything)
    if not whole:
        visible = [replace(result, place=None) for result in visible]
    return UnitView(version, standings(visible), whole, unit_summary(version) if whole else None)
