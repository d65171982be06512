"""A scorecard read and laid out. Only `read` asks the database; nothing here reads a clock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import F
from django.utils.translation import gettext as _

from assessments.digest import findings_shown
from assessments.models import Finding, Scorecard, ScoreEntry
from assessments.rows import Row
from schemes.models import Doubt, ScoringRule
from workflow.score_presenters.layout import CardView, FindingView, LineView, RowView, SectionView
from workflow.score_presenters.why import LineBuilder, evidence_of
from workflow.score_presenters.words import fact_words, label_of, parsed


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
        builder = LineBuilder(entry, rules, by_place, by_where, facts, indicator.pk in with_figures)
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
