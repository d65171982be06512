"""What the pages of scores call things: points, digests, rules, facts and the places they are about."""

import json
from decimal import Decimal
from functools import lru_cache

from django.utils.translation import gettext as _

from assessments.models import Finding, Scorecard
from schemes.models import Clause, Indicator, ScoringRule
from scoring.facts import InputSpec, required_inputs
from scoring.points import PointsError, format_points, parse_points
from scoring.rules import Rule, RuleError, describe, parse_rule

DASH = "—"
SHORT_DIGEST = 12
BADGES = {
    Scorecard.State.OPEN: "accepted",
    Scorecard.State.FINISHED: "reviewing",
    Scorecard.State.SIGNED: "approved",
}


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
    return f"{indicator.code}/" + _("第{n}段").format(n=place)


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
