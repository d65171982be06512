"""A row of the notice on scorecards: which entries it makes for whom, and what the engine says about each.

Where clauses have figures, each is an entry of the office that answers for it; where they have none, the row is one.
An entry of several offices is shared: the text does not divide its points (docs/decisions/0007).

A row with figures may also carry rules that act on the whole of it (不得分, 一票否决, 平均分). Such a row has one entry
more, for the row itself, without points of its own: it bears whatever the rules take from, or add to, the sum of the
clauses. So the entries of a row always add up to what the row earned. Where the row earns nothing, each of its clauses
earns nothing: every office loses its own.

The words written here are stored and signed: they are Chinese in every language of the interface.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from accounts.models import Office
from assessments.models import Finding, ScoreEntry
from schemes.models import Clause, Indicator, Responsibility, SchemeVersion, ScoringRule
from scoring.breakdown import Breakdown, Line
from scoring.evaluate import ClauseInput, evaluate_row
from scoring.facts import Fact
from scoring.points import ZERO, parse_points
from scoring.rules import Family, Rule, parse_part, parse_rule

SCORED_ROLES = (
    Responsibility.Role.RESPONSIBLE,
    Responsibility.Role.COLLECT,
    Responsibility.Role.IMPLEMENT,
)
SCORED = ScoreEntry.State.SCORED
UNRESOLVED = ScoreEntry.State.UNRESOLVED
IN_ROW = ScoreEntry.State.IN_ROW

GROUNDED = (Family.DEDUCT, Family.CLEAN, Family.ZERO)
SOURCED = (Family.SET, Family.JUDGED)


@dataclass(frozen=True)
class Slot:
    """An entry a row makes: for a clause, or (clause None) for the row. `offices` answer for it."""

    clause: Clause | None
    max_points: Decimal | None
    offices: tuple[int, ...]

    @property
    def shared(self) -> bool:
        return len(self.offices) > 1

    @property
    def clause_id(self) -> int | None:
        return self.clause.pk if self.clause else None


@dataclass(frozen=True)
class Result:
    """What an entry has to say."""

    earned: Decimal | None
    state: str
    breakdown: Breakdown
    rule_digest: str


@dataclass(eq=False)
class Row:
    """A row with everything its evaluation needs, read in advance."""

    indicator: Indicator
    clauses: list[Clause]
    rules: list[ScoringRule]
    responsibilities: list[tuple[Responsibility, tuple[int, ...]]]
    unit_classes: frozenset[str] | None
    _parsed: dict[int, Rule] = field(default_factory=dict)

    @property
    def code(self) -> str:
        return self.indicator.code

    @property
    def figures(self) -> list[Clause]:
        return [clause for clause in self.clauses if clause.points is not None and not clause.unscored]

    @property
    def points(self) -> Decimal | None:
        """The printed points of the row; without them, the sum of its figures."""
        if self.indicator.points is not None:
            return self.indicator.points
        return sum((clause.points for clause in self.figures), ZERO) if self.figures else None

    def rules_of(self, clause: Clause | None) -> list[ScoringRule]:
        return [rule for rule in self.rules if rule.clause_id == (clause.pk if clause else None)]

    def parsed(self, rule: ScoringRule) -> Rule:
        if rule.pk not in self._parsed:
            self._parsed[rule.pk] = parse_rule(rule.params)
        return self._parsed[rule.pk]

    def label(self, clause: Clause | None) -> str:
        """1.13/4; the row itself 1.13; an unnumbered paragraph by its place."""
        if clause is None:
            return self.code
        if clause.no is not None:
            return f"{self.code}/{clause.no}"
        if len(self.clauses) == 1:
            return self.code
        return f"{self.code}/第{[c.pk for c in self.clauses].index(clause.pk) + 1}段"

    # ------------------------------------------------------------ entries

    def offices_of(self, clause: Clause | None = None) -> tuple[int, ...]:
        """Who answers for a clause (or the row). A paragraph without a number: whoever answers for anything here."""
        found: dict[int, None] = {}
        for responsibility, office_ids in self.responsibilities:
            numbers = responsibility.clause_numbers
            if clause is None or clause.no is None or numbers is None or clause.no in numbers:
                found.update(dict.fromkeys(office_ids))
        return tuple(found)

    @property
    def conditions(self) -> bool:
        """Whether something in a row with figures acts on the row as a whole."""
        pointless = {clause.pk for clause in self.clauses if clause.points is None and not clause.unscored}
        return any(rule.clause_id is None or rule.clause_id in pointless for rule in self.rules)

    def slots(self) -> list[Slot]:
        if self.points is None:
            return []
        if not self.figures:
            return [Slot(None, self.points, self.offices_of())]
        slots = [Slot(clause, clause.points, self.offices_of(clause)) for clause in self.figures]
        difference = self.points - sum((clause.points for clause in self.figures), ZERO)
        if self.conditions or difference:
            slots.append(Slot(None, difference or None, self.offices_of()))
        return slots

    def slot_of(self, clause: Clause | None) -> Slot | None:
        """The entry that a finding about this clause (or the row) belongs to."""
        slots = {slot.clause_id: slot for slot in self.slots()}
        return slots.get(clause.pk if clause else None) or slots.get(None)

    # ------------------------------------------------------------ judging

    def _pot(self, clause: Clause | None) -> tuple[Decimal | None, list[Rule]]:
        if not self.figures:
            scored = {c.pk for c in self.clauses if not c.unscored}
            return self.points, [self.parsed(r) for r in self.rules if r.clause_id is None or r.clause_id in scored]
        return (clause.points if clause else None), [self.parsed(rule) for rule in self.rules_of(clause)]

    def judgeable(self, clause: Clause | None) -> Decimal | None:
        """The points a person may award where no rule says how to get them; None where rules do."""
        points, rules = self._pot(clause)
        if points is None or (clause is not None and clause.unscored):
            return None
        rest = points
        for rule in rules:
            if rule.family in GROUNDED or (rule.family in SOURCED and self._in_class(rule)):
                return None
            if rule.family is Family.EARN and self._in_class(rule):
                most = rule.earnable()
                rest = ZERO if most is None else max(ZERO, rest - most)
        return rest or None

    @property
    def classes(self) -> frozenset[str]:
        """The classes (执法部门 …) the unit belongs to.

        The scheme's setting `unit_classes` lists them. Not set: whoever records a finding under a rule for a class
        says thereby that the unit belongs to it.
        """
        if self.unit_classes is not None:
            return self.unit_classes
        return frozenset(
            rule.applies_to for rule in (self.parsed(r) for r in self.rules) if rule.applies_to is not None
        )

    def _in_class(self, rule: Rule) -> bool:
        return rule.applies_to is None or rule.applies_to in self.classes

    # ------------------------------------------------------------ results

    def counting(self, findings: Iterable[Finding]) -> list[Finding]:
        """Of the standing findings those that count: of several judgements of one thing, the latest."""
        latest: dict[tuple, Finding] = {}
        counting = []
        for finding in sorted(findings, key=_order):
            if finding.voided_at is not None:
                continue
            if finding.rule_id is None:
                latest["judged", finding.clause_id if self.figures else None] = finding
            elif self.parsed(self._rule(finding.rule_id)).family is Family.JUDGED:
                latest["rule", finding.rule_id] = finding
            else:
                counting.append(finding)
        return sorted([*counting, *latest.values()], key=_order)

    def _rule(self, rule_id: int) -> ScoringRule:
        return next(rule for rule in self.rules if rule.pk == rule_id)

    def evaluate(self, findings: Iterable[Finding]) -> Breakdown:
        """What the row earned. FactError: findings that cannot be."""
        by_clause: dict[int | None, list[Fact]] = {}
        for finding in self.counting(findings):
            rule = None if finding.rule_id is None else self.parsed(self._rule(finding.rule_id))
            place = finding.clause_id if self.figures or rule is not None else None
            by_clause.setdefault(place, []).append(fact_of(finding, rule))
        return evaluate_row(
            points=self.points,
            clauses=[
                ClauseInput(
                    key=self.label(clause),
                    title=f"第{clause.no}条" if clause.no is not None else "",
                    points=clause.points,
                    rules=[self.parsed(rule) for rule in self.rules_of(clause)],
                    facts=by_clause.get(clause.pk, []),
                    parts=[parse_part(part) for part in clause.parts],
                    scored=not clause.unscored,
                )
                for clause in self.clauses
            ],
            rules=[self.parsed(rule) for rule in self.rules_of(None)],
            facts=by_clause.get(None, []),
            unit_classes=self.classes,
            key=self.code,
            title=self.indicator.title,
        )

    def results(self, findings: Iterable[Finding]) -> dict[int | None, Result]:
        """clause id (None: the row) → what its entry says. The entries add up to what the row earned."""
        whole = self.evaluate(findings)
        if not self.figures:
            return {None: Result(whole.earned, whole.state, whole, _digest(self.rules))}
        children = dict(zip([clause.pk for clause in self.clauses], whole.children, strict=True))
        # a row that is scored although clauses are open was scored as a whole (平均分)
        whole_only = whole.state == SCORED and any(children[c.pk].state != SCORED for c in self.figures)
        results = {}
        for clause in self.figures:
            child = _placed(children[clause.pk], whole, whole_only)
            results[clause.pk] = Result(child.earned, child.state, child, _digest(self.rules_of(clause)))
        if any(slot.clause is None for slot in self.slots()):
            results[None] = self._own(whole, [result.earned for result in results.values()])
        return results

    def _own(self, whole: Breakdown, parts: Sequence[Decimal | None]) -> Result:
        """The row's own entry: what its rules make of the sum of its clauses."""
        known = [part for part in parts if part is not None]
        difference = None if whole.earned is None else whole.earned - sum(known, ZERO)
        theirs = {f"{child.key}:{reason}" for child in whole.children for reason in child.unresolved}
        state = SCORED if set(whole.unresolved) <= theirs else UNRESOLVED
        ids = {clause.pk for clause in self.figures}
        rules = [rule for rule in self.rules if rule.clause_id not in ids]
        return Result(difference or None, state, whole, _digest(rules))


def _placed(child: Breakdown, whole: Breakdown, whole_only: bool) -> Breakdown:
    """A clause's result, once the row has had its say."""
    if whole.state == SCORED and whole.earned == ZERO and child.earned != ZERO:
        lost = None if child.earned is None else -child.earned
        line = Line("本项不得分", "row", None, (), {}, lost, ZERO, whole.lines[-1].note or whole.lines[-1].label)
        return replace(child, earned=ZERO, state=SCORED, unresolved=(), lines=(*child.lines, line))
    if whole_only and whole.earned != ZERO:
        line = Line("计入本项", "row", None, (), {}, None, None, "本项已整体计分,本条不单独计分")
        return replace(child, earned=None, state=IN_ROW, unresolved=(), lines=(*child.lines, line))
    return child


def _order(finding: Finding) -> tuple[bool, int]:
    return (finding.pk is None, finding.pk or 0)


def _digest(rules: Iterable[ScoringRule]) -> str:
    text = "\n".join(f"{rule.code}:{rule.digest}" for rule in sorted(rules, key=lambda rule: rule.code))
    return hashlib.sha256(text.encode()).hexdigest()


def fact_of(finding: Finding, rule: Rule | None) -> Fact:
    """A finding as the engine reads it. Fields keep to six places, as they were typed."""
    return Fact(
        id=str(finding.pk) if finding.pk is not None else "本次",
        rule_id=None if rule is None else rule.id,
        count=finding.count,
        value=finding.value,
        level=finding.level or None,
        inputs={name: parse_points(text) for name, text in finding.inputs.items()},
        points=finding.points,
        holds=finding.holds,
        date=finding.occurred_on,
        note=finding.note,
        source=finding.source,
    )


def earliest_date(*, year: int, rule: Rule | None) -> date | None:
    """The first day a fact of this year may have happened on; None where a look-back names no number of years."""
    if rule is None or rule.lookback is None:
        return date(year, 1, 1)
    years = [int(number) for number in re.findall(r"[0-9]+", rule.lookback.reading or "")]
    return date(max(1, year - max(years)), 1, 1) if years else None


def load_rows(version: SchemeVersion, indicator_ids: Iterable[int] | None = None) -> list[Row]:
    """The rows of a version in its order (or only some), in a constant number of queries."""
    indicators = Indicator.objects.filter(version=version)
    if indicator_ids is not None:
        indicators = indicators.filter(pk__in=list(indicator_ids))
    indicators = indicators.select_related("section").prefetch_related("clauses", "rules", "responsibilities")
    members = _members(version)
    declared = version.settings.get("unit_classes")
    classes = None if declared is None else frozenset(declared)
    rows = []
    for indicator in indicators.order_by("section__position", "position"):
        answering = [
            (r, (r.office_id,) if r.office_id else members.get(r.name, ()))
            for r in indicator.responsibilities.all()
            if r.role in SCORED_ROLES
        ]
        clauses, rules = list(indicator.clauses.all()), list(indicator.rules.all())
        rows.append(Row(indicator, clauses, rules, answering, classes))
    return rows


def _members(version: SchemeVersion) -> dict[str, tuple[int, ...]]:
    """Collective name → ids of the offices it is read as."""
    names = {name for group in version.groups for name in group.get("members", ())}
    ids = dict(Office.objects.filter(name__in=names).values_list("name", "id")) if names else {}
    return {
        group["name"]: tuple(ids[name] for name in group.get("members", ()) if name in ids) for group in version.groups
    }
