"""Whether a fact may be recorded as typed: where it belongs, when it happened, and what its rule asks for."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from accounts.errors import BadInput, NotVisible
from accounts.grants import Scope
from assessments.errors import CardClosed
from assessments.models import Finding, Scorecard, ScoreEntry
from assessments.operations.common import MAX_NOTE, MAX_REASON, day_of, how_to_open
from assessments.rows import Row, earliest_date, fact_of, load_rows
from schemes.models import Clause, Indicator, ScoringRule
from scoring.facts import FACT_FIELDS, FactError, check_fact, required_inputs
from scoring.points import format_points, size_problem
from scoring.rules import Family, Rule
from tasks.models import Evidence, Task

MAX_TOKEN = 40
# results of a year are often known only after it: these are dated when they were established
ESTABLISHED_LATER = (Family.SET, Family.JUDGED, Family.PEERS)


@dataclass
class Typed:
    """What was typed about a fact, before it is checked."""

    indicator: Indicator
    clause: Clause | None
    rule: ScoringRule | None
    occurred_on: date
    count: Decimal | int | None = None
    value: Decimal | int | None = None
    level: str = ""
    inputs: Mapping[str, Decimal] = field(default_factory=dict)
    holds: bool | None = None
    points: Decimal | int | None = None
    note: str = ""
    source: str = ""
    task: Task | None = None
    evidence: Evidence | None = None


def require_token(token: str) -> None:
    if not token or len(token) > MAX_TOKEN:
        raise BadInput({"token": [_("表单已失效,请刷新页面后重新填写。")]})


def token_of(token: str, entry: ScoreEntry) -> str:
    return hashlib.sha256(f"{token}:{entry.pk}".encode()).hexdigest()[:MAX_TOKEN]


def require_open(card: Scorecard) -> None:
    if card.state != Scorecard.State.OPEN:
        raise CardClosed(office=card.office, state=card.get_state_display(), how=how_to_open(card))


def standing_of(card: Scorecard, row: Row) -> list[Finding]:
    return list(
        Finding.objects.filter(
            scorecard__version_id=card.version_id, indicator_id=row.indicator.pk, voided_at=None
        ).order_by("id")
    )


def prepare(
    card: Scorecard, scope: Scope, typed: Typed, at: datetime, *, complete: bool, dated: bool = True
) -> tuple[Row, Finding]:
    """The row and the unsaved finding, or BadInput with everything that is wrong."""
    row = next(iter(load_rows(card.version, [typed.indicator.pk])), None)
    if row is None:
        raise NotVisible()
    problems: dict[str, list[str]] = {}
    clause, stored = _place(card, row, typed, problems)
    if problems:
        raise BadInput(problems)
    rule = row.parsed(stored) if stored else None
    _check_basis(card, scope, typed, problems, complete=complete)
    if dated:
        _check_date(card, rule, typed, at, problems)
    finding = _finding(card, clause, stored, typed, problems)
    if not problems:
        _check_fact(row, rule, finding, card, problems, complete=complete)
    if problems:
        raise BadInput(problems)
    return row, finding


def _place(
    card: Scorecard, row: Row, typed: Typed, problems: dict[str, list[str]]
) -> tuple[Clause | None, ScoringRule | None]:
    """Which clause, which rule; and whether this office answers for it."""
    stored = None
    clause = None
    if typed.clause is not None:
        clause = next((c for c in row.clauses if c.pk == typed.clause.pk), None)
        if clause is None:
            problems["clause"] = [_("所选条款不属于此项。")]
            return None, None
    if typed.rule is not None:
        stored = next((r for r in row.rules if r.pk == typed.rule.pk), None)
        of_rule = stored and next((c for c in row.clauses if c.pk == stored.clause_id), None)
        if stored is None or (clause is not None and clause != of_rule):
            problems["rule"] = [_("所选规则不属于这一条。")]
            return None, None
        clause = of_rule
    elif not row.figures:
        clause = None  # a row without clause figures is judged as a whole
    if clause is not None and clause.unscored:
        problems["clause"] = [_("这一段不计分,不能记录考核事实。")]
        return None, None
    slot = row.slot_of(clause)
    if stored is None and clause is None and row.figures:
        problems["rule"] = [_("本项各条有分值,请选择要评定的条款。")]
    elif slot is None:
        problems["clause"] = [_("此项没有分值,不能记录考核事实。")]
    elif card.office_id not in slot.offices:
        names = _("、").join(str(r.office or r.name) for r, ids in row.responsibilities if set(ids) & set(slot.offices))
        problems["clause"] = [_("{code}由{names}负责,请在其得分表上记录。").format(code=row.label(clause), names=names)]
    elif stored is None and (slot.clause != clause or row.judgeable(clause) is None):
        problems["rule"] = [_("本条按规则计分,请选择所依据的规则。")]
    return clause, stored


def _check_basis(
    card: Scorecard, scope: Scope, typed: Typed, problems: dict[str, list[str]], *, complete: bool
) -> None:
    if complete and not typed.source.strip():
        problems["source"] = [_("请写明依据,例如文件名称和文号、通报日期、检查记录。")]
    elif len(typed.source.strip()) > MAX_REASON:
        problems["source"] = [_("依据最多{n}字。").format(n=MAX_REASON)]
    if len(typed.note.strip()) > MAX_NOTE:
        problems["note"] = [_("事实最多{n}字。").format(n=MAX_NOTE)]
    task = typed.task
    if task is not None and (task.version_id != card.version_id or task.office_id not in scope.readable):
        problems["task"] = [_("所选任务不属于本年度方案。")]
    if typed.evidence is not None:
        submission = typed.evidence.submission
        foreign = submission.task.version_id != card.version_id or submission.task.office_id not in scope.readable
        if foreign or submission.submitted_at is None:
            problems["evidence"] = [_("所选佐证材料不属于本年度已报送的材料。")]


def _check_date(card: Scorecard, rule: Rule | None, typed: Typed, at: datetime, problems: dict[str, list[str]]) -> None:
    year, day = card.version.year, typed.occurred_on
    first = earliest_date(year=year, rule=rule)
    # December's report is due in January and belongs to this year (docs/scheme-format.md, monthly_next)
    due_later = typed.task is not None and typed.task.due_date.year > year
    later = rule is None or rule.family in ESTABLISHED_LATER or due_later
    if day > day_of(at):
        problems["occurred_on"] = [_("发生日期不能晚于今天。")]
    elif first is not None and day < first:
        problems["occurred_on"] = [
            _("发生日期应在{year}年度内。").format(year=year)
            if first.year == year
            else _("发生日期早于追溯期限({first})。").format(first=first.isoformat())
        ]
    elif day.year > year and not later:
        problems["occurred_on"] = [
            _("发生日期应在{year}年度内;所属期在本年度、次年到期的事项,请选择对应的任务。").format(year=year)
        ]


def _finding(
    card: Scorecard, clause: Clause | None, rule: ScoringRule | None, typed: Typed, problems: dict[str, list[str]]
) -> Finding:
    numbers = {}
    for name in ("count", "value", "points"):
        given = getattr(typed, name)
        numbers[name] = Decimal(given) if isinstance(given, int) and not isinstance(given, bool) else given
    for name, number in (*numbers.items(), *typed.inputs.items()):
        problem = None if number is None else size_problem(number)
        if problem:
            problems[name] = [problem]
    return Finding(
        scorecard=card,
        indicator=typed.indicator,
        clause=clause,
        rule=rule,
        task=typed.task,
        evidence=typed.evidence,
        occurred_on=typed.occurred_on,
        level=typed.level or "",
        inputs={} if problems else {name: format_points(number) for name, number in sorted(typed.inputs.items())},
        holds=typed.holds,
        note=typed.note.strip(),
        source=typed.source.strip(),
        **numbers,
    )


def _check_fact(
    row: Row,
    rule: Rule | None,
    finding: Finding,
    card: Scorecard,
    problems: dict[str, list[str]],
    *,
    complete: bool,
) -> None:
    """What the engine says about the fact itself, and about the fact beside the others."""
    try:
        fact = fact_of(finding, rule)
    except ValueError as error:  # a negative input
        problems["fact"] = [str(error)]
        return
    available = row.judgeable(finding.clause) if rule is None else None
    specs = required_inputs(rule)
    said = check_fact(rule, fact, available=available)
    if not complete:
        said = [text for text in said if text != "人工认定的分值须写明依据"]
    asked = {spec.name for spec in specs}
    given = {name for name in FACT_FIELDS if getattr(fact, name) is not None}
    for name in sorted(given - asked):
        problems[name] = [_("所选规则不需要填写这一项。")]
    optional = specs and not any(spec.required for spec in specs)
    if optional and all(spec.type == "value" and spec.read(fact) is None for spec in specs):
        said = [_("请至少填写一项数值。")]
    for text in said:
        name = next((spec.name for spec in specs if spec.label in text), "fact")
        problems.setdefault(name, []).append(text)
    if not problems:
        try:
            row.results([*standing_of(card, row), finding])
        except FactError as error:
            problems["fact"] = list(error.problems)
