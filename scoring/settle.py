"""The arithmetic of one pot of points: where it starts, what is added, what is taken, what empties it.

Order, always the same and independent of the order of the facts: start or outside result → earned points → deductions
in the order of the rules (an exclusive group counts its dearest once) → 不得分. Every limit that bit is on its line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from scoring.breakdown import Flag, Line
from scoring.facts import Fact, FactError, invalid_inputs, missing_inputs
from scoring.kinds.base import Effect, Family, Outcome, Part, Pot, Rule, unresolved
from scoring.points import ZERO, format_points
from scoring.rules import RuleError

#: Families which give a clause its full points as long as nothing is found.
GROUND = frozenset({Family.DEDUCT, Family.CLEAN, Family.ZERO})

NOT_JUDGED = "须人工评定,尚未评定"


@dataclass(frozen=True)
class Start:
    """What clauses with figures bring to their row: their sum (None: nothing yet), what is missing, what zeroes it."""

    points: Decimal | None
    missing: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    zeroes: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """One rule with its facts and what it makes of them."""

    rule: Rule
    facts: Sequence[Fact]
    outcome: Outcome


@dataclass(slots=True)
class Settlement:
    """A pot being settled. `running` is None as long as the starting points are not known."""

    points: Decimal
    running: Decimal | None = None
    lines: list[Line] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    unjudged: bool = False
    zeroed: bool = False
    partial: bool = False  # an unfinished sum is shown (rows and totals), not withheld (clauses)

    @property
    def state(self) -> str:
        if self.zeroed:
            return "scored"
        if self.reasons:
            return "unresolved"
        return "judged_missing" if self.unjudged else "scored"

    @property
    def earned(self) -> Decimal | None:
        return self.running if self.partial or self.state == "scored" else None

    @property
    def unresolved(self) -> tuple[str, ...]:
        if self.zeroed:
            return ()
        return (*self.reasons, NOT_JUDGED) if self.unjudged else tuple(self.reasons)

    def write(self, found: Found, amount: Decimal | None, bit: str | None, note: str) -> None:
        """One line about a rule, after `running` was moved."""
        rule, outcome = found.rule, found.outcome
        ids = tuple(fact.id for fact in found.facts)
        note = note or outcome.note
        self.lines.append(
            Line(rule.asked, rule.kind, rule.id, ids, outcome.inputs, amount, self.running, note, bit, rule.quote)
        )


def settle(
    *,
    points: Decimal,
    rules: Sequence[Rule],
    facts: Sequence[Fact],
    parts: Sequence[Part],
    unit_classes: frozenset[str],
    zeroed_by: frozenset[str],
    start: Start | None = None,
) -> Settlement:
    """Apply rules to facts inside one pot of `points` (分). FactError and RuleError refuse impossible input."""
    pot = Pot(points, _rest(points, rules, unit_classes), parts, _by_id(rules), zeroed_by)
    judged, recorded = _recorded(pot, facts, start is None)
    result = Settlement(points, partial=start is not None)
    found = _outcomes(result, pot, rules, recorded, unit_classes) if rules else []
    peers = _base(result, pot, rules, unit_classes, found, judged, start)
    if rules and not peers:
        _gains(result, rules, unit_classes, found)
    if found:
        _costs(result, found)
        _marks(result, found)
    _zero(result, found, start)
    return result


def _rest(points: Decimal, rules: Sequence[Rule], unit_classes: frozenset[str]) -> Decimal:
    rest = points
    for rule in rules:
        if rule.family is Family.EARN and _in_class(rule, unit_classes):
            most = rule.earnable()
            if most is not None and rule.cap is not None:
                most = min(most, rule.cap)
            rest = ZERO if most is None else max(ZERO, rest - most)
    return rest


def _in_class(rule: Rule, unit_classes: frozenset[str]) -> bool:
    return rule.applies_to is None or rule.applies_to in unit_classes


def _by_id(rules: Sequence[Rule]) -> Mapping[str, Rule]:
    by_id: dict[str, Rule] = {}
    for rule in rules:
        if rule.family is Family.BONUS:
            raise RuleError([(rule.id, "加分规则只能用于加分部分")])
        if rule.id in by_id:
            raise RuleError([(rule.id, "规则编号重复")])
        by_id[rule.id] = rule
    return by_id


def _recorded(pot: Pot, facts: Sequence[Fact], may_judge: bool) -> tuple[list[Fact], dict[str, list[Fact]]]:
    """Judged facts, and facts by rule, each sorted by id; refuses what cannot be."""
    judged: list[Fact] = []
    recorded: dict[str, list[Fact]] = {}
    if not facts:
        return judged, recorded
    problems: list[str] = []
    seen: set[str] = set()
    for fact in sorted(facts, key=_fact_id) if len(facts) > 1 else facts:
        if fact.id in seen:
            problems.append(f"记录{fact.id}重复")
        seen.add(fact.id)
        rule = None if fact.rule_id is None else pot.rules.get(fact.rule_id)
        if fact.rule_id is not None and rule is None:
            problems.append(f"记录{fact.id}:没有规则“{fact.rule_id}”")
            continue
        if rule is None and not may_judge:
            problems.append(f"记录{fact.id}:本项各条有分值,须逐条评定")
            continue
        invalid = invalid_inputs(rule, fact, available=pot.rest)
        if invalid:
            problems += [f"记录{fact.id}:{problem}" for problem in invalid]
        if rule is None:
            judged.append(fact)
        else:
            recorded.setdefault(rule.id, []).append(fact)
    if problems:
        raise FactError(problems)
    return judged, recorded


def _fact_id(fact: Fact) -> str:
    return fact.id


def _outcomes(
    result: Settlement,
    pot: Pot,
    rules: Sequence[Rule],
    recorded: Mapping[str, list[Fact]],
    unit_classes: frozenset[str],
) -> list[Found]:
    """What each rule makes of its facts; facts without effect get their line here."""
    found = []
    for rule in rules:
        facts = recorded.get(rule.id)
        if not facts:
            continue
        if not _in_class(rule, unit_classes):
            note = f"仅适用于{rule.applies_to},本单位不在此列,不计"
            result.write(Found(rule, facts, Outcome(Effect.NONE)), ZERO, None, note)
            continue
        for fact in facts:
            if not fact.applies:
                result.write(Found(rule, (fact,), Outcome(Effect.NONE)), ZERO, None, _not_applying(fact))
        facts = [fact for fact in facts if fact.applies]
        if facts:
            found.append(Found(rule, facts, _outcome(rule, facts, pot)))
    return found


def _not_applying(fact: Fact) -> str:
    return f"不适用,不计:{fact.note}" if fact.note else "不适用,不计"


def _outcome(rule: Rule, facts: Sequence[Fact], pot: Pot) -> Outcome:
    missing = [f"记录{fact.id}缺少{label}" for fact in facts for label in missing_inputs(rule, fact)]
    if missing:
        return unresolved("、".join(missing))
    outcome = rule.evaluate(facts, pot)
    if rule.cap is not None and outcome.amount > rule.cap:
        note = f"{outcome.note};超过上限,按{format_points(rule.cap)}计"
        return replace(outcome, amount=rule.cap, note=note, bit="cap")
    return outcome


def _base(
    result: Settlement,
    pot: Pot,
    rules: Sequence[Rule],
    unit_classes: frozenset[str],
    found: Sequence[Found],
    judged: Sequence[Fact],
    start: Start | None,
) -> bool:
    """Where the pot starts; True when the mean of the peers stands for what would be earned."""
    if start is not None:
        result.lines += start.lines
    sources = [item for item in found if item.outcome.effect is Effect.BASE]
    peers = [item for item in sources if item.rule.family is Family.PEERS]
    entered = [fact for fact in judged if fact.applies]
    for fact in judged:
        if not fact.applies:
            result.lines.append(Line("评定分", "judged", None, (fact.id,), {}, ZERO, None, _not_applying(fact)))
    incomplete = [fact for fact in entered if fact.points is None]
    if peers:
        result.running = peers[0].outcome.amount
        result.write(peers[0], result.running, None, "")
    elif incomplete:
        result.reasons += [f"记录{fact.id}缺少评定分" for fact in incomplete]
    elif len(sources) + len(entered) > 1:
        result.reasons.append("有多个得分来源,只能保留一个")
    elif sources:
        result.running = sources[0].outcome.amount
        result.write(sources[0], result.running, sources[0].outcome.bit, "")
    elif entered:
        fact = entered[0]
        result.running = fact.points
        inputs = {"评定分": format_points(fact.points)}
        result.lines.append(
            Line("评定分", "judged", None, (fact.id,), inputs, fact.points, fact.points, fact.note or "人工评定")
        )
    elif start is not None:
        result.running = start.points
        result.reasons += start.missing
    else:
        _full_or_missing(result, pot, rules, unit_classes, found)
    return bool(peers)


def _full_or_missing(
    result: Settlement, pot: Pot, rules: Sequence[Rule], unit_classes: frozenset[str], found: Sequence[Found]
) -> None:
    """No score was entered: full points where the rules only deduct, otherwise what is missing is named."""
    answered = {item.rule.id for item in found}
    sourced = False
    grounded = False
    earning = False
    for rule in rules:
        if rule.family in (Family.SET, Family.JUDGED) and _in_class(rule, unit_classes):
            sourced = True
            if rule.id in answered:
                continue  # its reason is on its own line
            if rule.family is Family.SET:
                result.reasons.append(f"缺少“{rule.asked}”")
            else:
                result.unjudged = True
        grounded = grounded or rule.family in GROUND
        earning = earning or rule.family is Family.EARN
    if sourced:
        return
    decided = any(item.rule.family is Family.OPEN for item in found)
    if earning and not pot.rest:
        base, label = ZERO, "从0分起计"
    elif grounded or decided:
        base, label = pot.rest, "从满分起计"
    else:
        result.unjudged = True
        return
    note = "" if found else ("尚无得分记录" if not base else "未发现扣分事项")
    result.running = base
    result.lines.append(Line(label, "start", None, (), {}, base, base, note))


def _gains(result: Settlement, rules: Sequence[Rule], unit_classes: frozenset[str], found: Sequence[Found]) -> None:
    outcomes = {item.rule.id: item for item in found}
    for rule in rules:
        if rule.family is not Family.EARN or not _in_class(rule, unit_classes):
            continue
        item = outcomes.get(rule.id)
        if item is None:
            if rule.needs_fact:
                waiting = f"缺少“{rule.asked}”"
                result.reasons.append(waiting)
                result.write(Found(rule, (), Outcome(Effect.NONE)), None, None, waiting)
            else:
                result.write(Found(rule, (), Outcome(Effect.GAIN)), ZERO, None, "没有记录,不加分")
        elif item.outcome.unresolved is None:
            _gain(result, item)


def _gain(result: Settlement, item: Found) -> None:
    gain, bit, note = item.outcome.amount, item.outcome.bit, item.outcome.note
    if result.running is not None:
        room = result.points - result.running
        if gain > room:
            note = f"{note};超过分值,只计{format_points(room)}"
            gain, bit = room, "cap"
        result.running += gain
    result.write(item, gain, bit, note)


def _costs(result: Settlement, found: Sequence[Found]) -> None:
    costs = [item for item in found if item.outcome.effect is Effect.COST]
    dearest: dict[str, Found] = {}
    for item in costs:
        group = _group(item)
        if group and (group not in dearest or item.outcome.amount > dearest[group].outcome.amount):
            dearest[group] = item
    for item in costs:
        group = _group(item)
        if group and dearest[group] is not item:
            note = f"{item.outcome.note};与同组“{dearest[group].rule.asked}”只计最重的一项,不另扣"
            result.write(item, ZERO, None, note)
        else:
            _take(result, item)


def _group(item: Found) -> str | None:
    return item.rule.exclusive or item.outcome.once


def _take(result: Settlement, item: Found) -> None:
    cost, bit, note = item.outcome.amount, item.outcome.bit, item.outcome.note
    if result.running is not None:
        if cost > result.running:
            note = f"{note};应扣{format_points(cost)},只剩{format_points(result.running)},扣完为止"
            cost, bit = result.running, "floor"
        result.running -= cost
    result.write(item, -cost, bit, note)


def _marks(result: Settlement, found: Sequence[Found]) -> None:
    """Flags, answers without effect, and everything that is not decided yet."""
    for item in found:
        outcome = item.outcome
        if outcome.unresolved is not None:
            result.reasons.append(f"“{item.rule.asked}”:{outcome.unresolved}")
            result.write(item, None, None, outcome.unresolved)
        elif outcome.flag is not None:
            kind, effect = outcome.flag
            ids = tuple(fact.id for fact in item.facts)
            result.flags.append(Flag(kind, item.rule.id, ids, effect, item.rule.quote))
            result.write(item, ZERO, None, "")
        elif outcome.effect is Effect.NONE:
            result.write(item, ZERO, None, "")


def _zero(result: Settlement, found: Sequence[Found], start: Start | None) -> None:
    """不得分: empties the pot, whatever else is open."""
    for item in found:
        if item.outcome.effect is Effect.ZERO:
            lost = None if result.running is None else -result.running
            result.running, result.zeroed = ZERO, True
            result.write(item, lost, None, "")
    for flag in start.zeroes if start is not None else ():
        lost = None if result.running is None else -result.running
        result.running, result.zeroed = ZERO, True
        result.lines.append(
            Line(flag.effect or "不得分", "zero", flag.rule_id, flag.fact_ids, {}, lost, ZERO, "", None, flag.quote)
        )
