"""Evaluate a clause or a row; sections, bonus and scheme are re-exported so that callers know one door."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from scoring.breakdown import Breakdown, Flag, Line, RowBreakdown
from scoring.facts import Fact, FactError
from scoring.kinds.base import Part, Rule
from scoring.kinds.earned import peer_average
from scoring.points import EXACT, format_points, require_points
from scoring.settle import Settlement, Start, settle
from scoring.totals import BonusRow, SectionInput, evaluate_bonus, evaluate_scheme, evaluate_section, evaluate_sections

__all__ = [
    "BonusRow",
    "ClauseInput",
    "Part",
    "SectionInput",
    "evaluate_bonus",
    "evaluate_clause",
    "evaluate_row",
    "evaluate_scheme",
    "evaluate_section",
    "evaluate_sections",
    "peer_average",
]

NO_CLASSES: frozenset[str] = frozenset()
CLAUSE_ONLY = frozenset({"clause"})
ROW_ONLY = frozenset({"row"})
WHOLE_ROW = frozenset({"clause", "row"})

NO_FIGURE = "本条没有分值,在所属的项内计算"


@dataclass(frozen=True, kw_only=True)
class ClauseInput:
    """One clause of a row with what was found. `points=None`: the notice prints no figure for it."""

    key: str
    points: Decimal | None
    rules: Sequence[Rule] = ()
    facts: Sequence[Fact] = ()
    parts: Sequence[Part] = ()
    title: str = ""
    scored: bool = True


def evaluate_clause(
    *,
    points: Decimal | None,
    rules: Sequence[Rule],
    facts: Sequence[Fact],
    parts: Sequence[Part] = (),
    unit_classes: frozenset[str] = NO_CLASSES,
    key: str = "",
    title: str = "",
) -> Breakdown:
    """The points (分) a unit earns in one clause, explained.

    `unit_classes`: the classes (一级联动单位, 执法部门 …) the unit belongs to. A clause without a figure is unresolved
    by itself: its row scores for it. FactError: facts that cannot be; RuleError: rules that do not fit together.
    """
    require_points(points, "points")
    if points is None:
        return Breakdown(None, None, "unresolved", (), (), (NO_FIGURE,), key, title)
    with localcontext(EXACT):
        result = settle(
            points=points, rules=rules, facts=facts, parts=parts, unit_classes=unit_classes, zeroed_by=CLAUSE_ONLY
        )
    return Breakdown(
        result.earned,
        points,
        result.state,
        tuple(result.lines),
        tuple(result.flags),
        result.unresolved,
        key,
        title,
    )


def evaluate_row(
    *,
    points: Decimal,
    clauses: Sequence[ClauseInput],
    rules: Sequence[Rule] = (),
    facts: Sequence[Fact] = (),
    unit_classes: frozenset[str] = NO_CLASSES,
    key: str = "",
    title: str = "",
) -> RowBreakdown:
    """The points (分) a unit earns in one row (a printed points cell), with its clauses as children.

    Clauses with figures are summed, then the row's rules apply. Without any figure the row is one pot for the rules
    of all its clauses. A clause without a figure beside others with one is a condition of the row.
    """
    require_points(points, "points")
    scored = [clause for clause in clauses if clause.scored]
    _refuse_unscored(clauses)
    with localcontext(EXACT):
        if any(clause.points is not None for clause in scored):
            return _sum_row(points, clauses, rules, facts, unit_classes, key, title)
        return _pot_row(points, clauses, rules, facts, unit_classes, key, title)


def _refuse_unscored(clauses: Sequence[ClauseInput]) -> None:
    problems = [f"记录{fact.id}:{c.key}不计分" for c in clauses if not c.scored for fact in c.facts]
    if problems:
        raise FactError(problems)


def _sum_row(
    points: Decimal,
    clauses: Sequence[ClauseInput],
    rules: Sequence[Rule],
    facts: Sequence[Fact],
    unit_classes: frozenset[str],
    key: str,
    title: str,
) -> RowBreakdown:
    rules, facts, children = list(rules), list(facts), {}
    for clause in clauses:
        if clause.points is not None and clause.scored:
            children[clause.key] = evaluate_clause(
                points=clause.points,
                rules=clause.rules,
                facts=clause.facts,
                parts=clause.parts,
                unit_classes=unit_classes,
                key=clause.key,
                title=clause.title,
            )
        elif clause.scored:
            rules += clause.rules
            facts += clause.facts
    start, flags = _start(points, list(children.values()))
    result = settle(
        points=points,
        rules=rules,
        facts=facts,
        parts=(),
        unit_classes=unit_classes,
        zeroed_by=ROW_ONLY,
        start=start,
    )
    shown = [children.get(clause.key) or _share(clause, result) for clause in clauses]
    return _row(result, points, flags, shown, key, title)


def _start(points: Decimal, children: Sequence[Breakdown]) -> tuple[Start, list[Flag]]:
    """The sum of clauses with figures, never above the row; what is missing; flags, and flags that zero the row."""
    running, lines, missing, flags, zeroes = None, [], [], [], []
    for child in children:
        if child.earned is not None:
            running = child.earned if running is None else running + child.earned
        note = "" if child.state == "scored" else ";".join(child.unresolved)
        lines.append(Line(child.title or child.key, "clause", None, (), {}, child.earned, running, note))
        missing += [f"{child.key}:{reason}" for reason in child.unresolved]
        for flag in child.flags:
            placed = replace(flag, where=child.key)
            (zeroes if flag.kind == "zero_row" else flags).append(placed)
    if running is not None and running > points:
        note = f"各条合计{format_points(running)},超过本项分值"
        lines.append(Line("不超过本项分值", "row", None, (), {}, points - running, points, note, "cap"))
        running = points
    return Start(running, tuple(missing), tuple(lines), tuple(zeroes)), flags


def _pot_row(
    points: Decimal,
    clauses: Sequence[ClauseInput],
    rules: Sequence[Rule],
    facts: Sequence[Fact],
    unit_classes: frozenset[str],
    key: str,
    title: str,
) -> RowBreakdown:
    scored = [clause for clause in clauses if clause.scored]
    alone = len(scored) <= 1
    problems = [
        f"记录{fact.id}:{clause.key}没有分值,须在本项评定"
        for clause in scored
        for fact in clause.facts
        if fact.rule_id is None and not alone
    ]
    if problems:
        raise FactError(problems)
    result = settle(
        points=points,
        rules=[*rules, *(rule for clause in scored for rule in clause.rules)],
        facts=[*facts, *(fact for clause in scored for fact in clause.facts)],
        parts=[part for clause in scored for part in clause.parts],
        unit_classes=unit_classes,
        zeroed_by=WHOLE_ROW if alone else ROW_ONLY,
    )
    return _row(result, points, [], [_share(clause, result) for clause in clauses], key, title)


def _share(clause: ClauseInput, result: Settlement) -> Breakdown:
    """A clause without points of its own: the lines of the row that come from its rules, no score."""
    own = {rule.id for rule in clause.rules} if clause.scored else set()
    lines = tuple(replace(line, running=None) for line in result.lines if line.rule_id in own)
    flags = tuple(flag for flag in result.flags if flag.rule_id in own)
    if not clause.scored:
        lines = (Line("不计分", "clause", note="本条不计分"),)
    return Breakdown(None, None, "scored", lines, flags, (), clause.key, clause.title)


def _row(
    result: Settlement, points: Decimal, flags: list[Flag], children: list[Breakdown], key: str, title: str
) -> RowBreakdown:
    own = {flag.rule_id: child.key for child in children for flag in child.flags}
    placed = [replace(flag, where=own.get(flag.rule_id, key)) for flag in result.flags]
    missing = {f"{child.key}:{reason}" for child in children for reason in child.unresolved}
    unresolved = tuple(text if text in missing or not key else f"{key}:{text}" for text in result.unresolved)
    return RowBreakdown(
        result.earned,
        points,
        result.state,
        tuple(result.lines),
        tuple([*flags, *placed]),
        unresolved,
        key,
        title,
        "row",
        tuple(children),
    )
