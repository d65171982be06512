"""Sums above the rows: sections, the bonus section, the whole scheme. A missing child makes a partial, marked sum."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, localcontext

from scoring.breakdown import Breakdown, Flag, Level, Line
from scoring.facts import Fact, FactError, invalid_inputs, missing_inputs
from scoring.kinds.base import Family, Rule
from scoring.points import EXACT, ZERO, format_points, require_points
from scoring.rules import RuleError


@dataclass(frozen=True, kw_only=True)
class SectionInput:
    """One printed section (一, 二, 三) with the results of its rows."""

    key: str
    points: Decimal
    rows: Sequence[Breakdown]
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class BonusRow:
    """One row of the bonus section. `group`: its label (path), matched by a highest_only rule's group."""

    key: str
    rules: Sequence[Rule]
    title: str = ""
    group: str | None = None


def evaluate_section(*, key: str = "", points: Decimal, rows: Sequence[Breakdown], title: str = "") -> Breakdown:
    """The sum of a section's rows (分), never above its printed points; 0 where a row's rule zeroes the section."""
    require_points(points, "points")
    with localcontext(EXACT):
        return _total("section", key, title, points, rows)


def evaluate_sections(*, sections: Sequence[SectionInput]) -> tuple[Breakdown, ...]:
    """Each section of a scheme, in order."""
    return tuple(evaluate_section(key=s.key, points=s.points, rows=s.rows, title=s.title) for s in sections)


def evaluate_scheme(
    *, points: Decimal, sections: Sequence[Breakdown], bonus: Breakdown | None = None, key: str = "", title: str = ""
) -> Breakdown:
    """The final score (分): sections, never above `points`, plus the bonus, never above its cap (L1024).

    `max_points` is the ceiling: `points` plus the bonus cap.
    """
    require_points(points, "points")
    with localcontext(EXACT):
        total = _total("scheme", key, title, points, sections)
        if bonus is None:
            return total
        earned = total.earned
        if bonus.earned is not None:
            earned = bonus.earned if earned is None else earned + bonus.earned
        line = Line(bonus.title or "加分", "bonus", None, (), {}, bonus.earned, earned, _waiting(bonus))
        open_ends = total.unresolved + bonus.unresolved
        return replace(
            total,
            earned=earned,
            max_points=points + (bonus.max_points or ZERO),
            state="unresolved" if open_ends else "scored",
            lines=(*total.lines, line),
            flags=total.flags + bonus.flags,
            unresolved=open_ends,
            children=(*total.children, bonus),
        )


def _total(level: Level, key: str, title: str, points: Decimal, children: Sequence[Breakdown]) -> Breakdown:
    running: Decimal | None = None if children else ZERO
    lines: list[Line] = []
    flags: list[Flag] = []
    zeroes: list[Flag] = []
    for child in children:
        if child.earned is not None:
            running = child.earned if running is None else running + child.earned
        lines.append(Line(child.title or child.key, child.level, None, (), {}, child.earned, running, _waiting(child)))
        for flag in child.flags:
            (zeroes if level == "section" and flag.kind == "zero_section" else flags).append(flag)
    if running is not None and running > points:
        note = f"合计{format_points(running)},超过分值"
        lines.append(Line("不超过分值", "total", None, (), {}, points - running, points, note, "cap"))
        running = points
    for flag in zeroes:
        lost = None if running is None else -running
        running = ZERO
        label = flag.effect or "不得分"
        lines.append(Line(label, "zero", flag.rule_id, flag.fact_ids, {}, lost, ZERO, "", None, flag.quote))
    open_ends = () if zeroes else tuple(reason for child in children for reason in child.unresolved)
    state = "unresolved" if open_ends else "scored"
    return Breakdown(running, points, state, tuple(lines), tuple(flags), open_ends, key, title, level, tuple(children))


def _waiting(child: Breakdown) -> str:
    return "" if child.state == "scored" else f"尚缺{len(child.unresolved)}项"


@dataclass(frozen=True)
class _Award:
    row: BonusRow
    rule: Rule
    fact: Fact
    line: Line
    group: str | None


def evaluate_bonus(
    *,
    cap: Decimal | None,
    rows: Sequence[BonusRow],
    facts: Sequence[Fact],
    window: tuple[date, date] | None = None,
    rules: Sequence[Rule] = (),
    key: str = "",
    title: str = "加分",
) -> Breakdown:
    """Bonus points (分): each fact is one award; outside the window 0; only the highest of a group; never above `cap`.

    `rules`: the section's own highest_only rules (L1072); their `group` is matched with a row's `group`.
    """
    require_points(cap, "cap")
    with localcontext(EXACT):
        awards, unresolved = _awards(rows, facts, window, _groups(rows, rules))
        lines, running = _add_awards(awards, cap)
    state = "unresolved" if unresolved else "scored"
    return Breakdown(running, cap, state, tuple(lines), (), tuple(unresolved), key, title, "bonus")


def _groups(rows: Sequence[BonusRow], rules: Sequence[Rule]) -> dict[str, str | None]:
    """The group each row competes in: its own highest_only rule, or one declared for its label."""
    declared = {rule.group for rule in rules if rule.kind == "highest_only"}
    own = {}
    for row in rows:
        for rule in row.rules:
            if rule.kind == "highest_only":
                own[row.key] = rule.group
    declared |= set(own.values())
    return {row.key: own.get(row.key, row.group if row.group in declared else None) for row in rows}


def _awards(
    rows: Sequence[BonusRow],
    facts: Sequence[Fact],
    window: tuple[date, date] | None,
    groups: dict[str, str | None],
) -> tuple[list[_Award], list[str]]:
    places = _places(rows)
    awards, problems, unresolved, seen = [], [], [], set()
    for fact in sorted(facts, key=lambda fact: fact.id):
        if fact.id in seen:
            problems.append(f"记录{fact.id}重复")
        seen.add(fact.id)
        if fact.rule_id not in places:
            problems.append(f"记录{fact.id}:没有加分规则“{fact.rule_id}”")
            continue
        row, rule = places[fact.rule_id]
        invalid = [f"记录{fact.id}:{problem}" for problem in invalid_inputs(rule, fact)]
        problems += invalid
        if invalid:
            continue
        line, reason = _award(rule, fact, window)
        if reason:
            unresolved.append(f"{row.key}:记录{fact.id}{reason}")
        awards.append(_Award(row, rule, fact, line, groups[row.key]))
    if problems:
        raise FactError(problems)
    order = {rule_id: index for index, rule_id in enumerate(places)}
    return sorted(awards, key=lambda award: (order[award.rule.id], award.fact.id)), unresolved


def _places(rows: Sequence[BonusRow]) -> dict[str, tuple[BonusRow, Rule]]:
    places: dict[str, tuple[BonusRow, Rule]] = {}
    for row in rows:
        for rule in row.rules:
            if rule.kind == "highest_only":
                continue
            if rule.family is not Family.BONUS or rule.id in places:
                said = "规则编号重复" if rule.id in places else f"{rule.kind}不是加分规则"
                raise RuleError([(rule.id, said)])
            places[rule.id] = (row, rule)
    return places


def _award(rule: Rule, fact: Fact, window: tuple[date, date] | None) -> tuple[Line, str]:
    """One award by itself: its line, and why it is still open ("" when it is not)."""
    inputs = {} if fact.date is None else {"日期": fact.date.isoformat()}
    line = Line(rule.asked, rule.kind, rule.id, (fact.id,), inputs, ZERO, None, "", None, rule.quote)
    missing = missing_inputs(rule, fact)
    if not fact.applies:
        return replace(line, note=f"不适用,不计:{fact.note}" if fact.note else "不适用,不计"), ""
    reason = f"缺少{'、'.join(missing)}" if missing else ""
    if window is not None and fact.date is None:
        reason = reason or "缺少日期,无法核对加分时间"
    elif window is not None and not window[0] <= fact.date <= window[1]:
        first, last = (day.isoformat() for day in window)
        return replace(line, note=f"不在加分时间{first}至{last}内,不加分"), ""
    if not reason:
        outcome = rule.evaluate((fact,), None)
        reason = outcome.unresolved or ""
    if reason:
        return replace(line, amount=None, note=reason), reason
    line = replace(line, amount=outcome.amount, note=outcome.note, inputs={**inputs, **outcome.inputs})
    if rule.cap is not None and outcome.amount > rule.cap:
        note = f"{outcome.note};超过上限,按{format_points(rule.cap)}计"
        line = replace(line, amount=rule.cap, note=note, bit="cap")
    return line, ""


def _add_awards(awards: Sequence[_Award], cap: Decimal | None) -> tuple[list[Line], Decimal]:
    highest: dict[str, _Award] = {}
    for award in awards:
        best = highest.get(award.group)
        if award.group and award.line.amount and (best is None or award.line.amount > best.line.amount):
            highest[award.group] = award
    running, lines = ZERO, []
    for award in awards:
        line = award.line
        if line.amount and award.group and highest[award.group] is not award:
            note = f"{line.note};“{award.group}”只计最高一项,不另加"
            line = replace(line, amount=ZERO, note=note)
        if line.amount and cap is not None and running + line.amount > cap:
            note = f"{line.note};加分最高{format_points(cap)},只计{format_points(cap - running)}"
            line = replace(line, amount=cap - running, note=note, bit="cap")
        running += line.amount or ZERO
        lines.append(replace(line, running=running))
    return lines, running
