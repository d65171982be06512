"""What a fact is about: the row, the clause, the rules that may be chosen, what it may be linked with."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from accounts.errors import NotVisible
from assessments.models import Scorecard
from assessments.rows import Row, load_rows
from schemes.models import Clause, ScoringRule
from scoring.points import format_points
from scoring.rules import Rule
from tasks.models import Task
from workflow.score_presenters.words import (
    rule_words,
)
from workflow.scorecard_forms import JUDGED
from workflow.views.scorecards.parts import link, number


@dataclass(frozen=True)
class Choice:
    """A rule under which a fact may be recorded."""

    key: str
    quote: str
    words: str
    url: str
    chosen: bool
    whole_row: bool


@dataclass
class Place:
    """What a fact is about: the row, the clause, and the rule chosen for it."""

    row: Row
    clause: Clause | None
    stored: ScoringRule | None
    judged: bool
    choices: list[Choice]
    judgeable: Decimal | None

    @property
    def rule(self) -> Rule | None:
        return self.row.parsed(self.stored) if self.stored else None

    @property
    def label(self) -> str:
        return self.row.label(self.clause)

    @property
    def chosen(self) -> bool:
        return self.judged or self.stored is not None


def place_of(card: Scorecard, data: Any) -> Place:
    """Read from the address (or the form): ?indicator=&clause=&rule=&task=; without a row, the task's."""
    indicator_id, clause_id = number(data.get("indicator")), number(data.get("clause"))
    task = Task.objects.filter(
        pk=number(data.get("task")), office_id=card.office_id, version_id=card.version_id
    ).first()
    if indicator_id is None and task is not None:
        indicator_id, clause_id = task.indicator_id, task.clause_id
    row = next(iter(load_rows(card.version, [indicator_id] if indicator_id else [])), None)
    if row is None or not card.entries.filter(indicator_id=row.indicator.pk).exists():
        raise NotVisible()
    clause = next((c for c in row.clauses if c.pk == clause_id), None)
    if clause_id is not None and clause is None:
        raise NotVisible()
    judgeable = row.judgeable(clause) if row.figures or clause is None else row.judgeable(None)
    offered = [rule for rule in rules_for(row, clause) if row.parsed(rule).inputs()]
    asked = data.get("rule") or ""
    keys = [str(rule.pk) for rule in offered] + ([JUDGED] if judgeable is not None else [])
    if not asked and len(keys) == 1:
        asked = keys[0]
    base = {"indicator": row.indicator.pk, "clause": clause.pk if clause else None, "task": task.pk if task else None}
    choices = [
        Choice(
            key=str(rule.pk),
            quote=rule.quote,
            words=rule_words(rule),
            url=link("workflow:scorecard_finding", card.pk, rule=rule.pk, **base),
            chosen=asked == str(rule.pk),
            whole_row=clause is not None and rule.clause_id != clause.pk,
        )
        for rule in offered
    ]
    if judgeable is not None:
        choices.append(
            Choice(
                key=JUDGED,
                quote=_("评定分"),
                words=_("原文没有计分规则,由评分人评定,最高 {points} 分").format(points=format_points(judgeable)),
                url=link("workflow:scorecard_finding", card.pk, rule=JUDGED, **base),
                chosen=asked == JUDGED,
                whole_row=False,
            )
        )
    stored = next((rule for rule in offered if str(rule.pk) == asked), None)
    return Place(row, clause, stored, asked == JUDGED and judgeable is not None, choices, judgeable)


def rules_for(row: Row, clause: Clause | None) -> list[ScoringRule]:
    """The clause's rules, then those of the row; for a row scored as a whole, all of them."""
    if clause is None and not row.figures:
        return [rule for rule in row.rules if rule.clause_id not in {c.pk for c in row.clauses if c.unscored}]
    if clause is None:
        ids = {None, *(c.pk for c in row.clauses if c.points is None and not c.unscored)}
        return [rule for rule in row.rules if rule.clause_id in ids]
    return [*row.rules_of(clause), *row.rules_of(None)]


def clause_for(place: Place) -> Clause | None:
    """The clause the operation is told: a rule of the row, or of another paragraph, names its own place."""
    if place.stored is None:
        return place.clause
    return place.clause if place.clause is not None and place.stored.clause_id == place.clause.pk else None
