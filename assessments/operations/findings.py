"""Findings: facts with a date and a source, that cost or earn points. Never edited, only voided and recorded anew."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.errors import BadInput, NotVisible
from accounts.grants import Scope
from assessments.digest import facts_of, shown
from assessments.errors import AlreadyVoided, CardClosed, OwnOffice, TokenUsed
from assessments.models import Finding, Scorecard, ScoreEntry
from assessments.operations.common import (
    MAX_NOTE,
    MAX_REASON,
    clean_reason,
    copy_to,
    day_of,
    how_to_open,
    lock_cards,
    office_people,
    require_assessor,
    url_of,
    written,
)
from assessments.operations.recompute import Change, apply, totals_of
from assessments.rows import Row, earliest_date, fact_of, load_rows
from audit.operations import record
from notifications.operations import Message, notify
from schemes.models import Clause, Indicator, ScoringRule
from scoring.breakdown import Breakdown
from scoring.facts import FactError, check_fact, required_inputs
from scoring.points import format_points, size_problem
from scoring.rules import Family, Rule
from tasks.models import Evidence, Task

FULL = "无扣分事项,按满分评定"
MAX_TOKEN = 40
# results of a year are often known only after it: these are dated when they were established
ESTABLISHED_LATER = (Family.SET, Family.JUDGED, Family.PEERS)


@dataclass(frozen=True)
class Preview:
    """What a finding would do, before it is saved. Points are None where nothing can be said yet."""

    entry_before: Decimal | None
    entry_after: Decimal | None
    row_before: Decimal | None
    row_after: Decimal | None
    card_before: Decimal | None
    card_after: Decimal | None
    state: str
    breakdown: Breakdown
    row: Breakdown


@dataclass
class _Typed:
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


def record_finding(
    *,
    scorecard: Scorecard,
    indicator: Indicator,
    clause: Clause | None = None,
    rule: ScoringRule | None = None,
    actor: Actor,
    at: datetime,
    token: str,
    occurred_on: date,
    count: Decimal | int | None = None,
    value: Decimal | int | None = None,
    level: str = "",
    inputs: Mapping[str, Decimal] | None = None,
    holds: bool | None = None,
    points: Decimal | int | None = None,
    note: str = "",
    source: str,
    task: Task | None = None,
    evidence: Evidence | None = None,
) -> Finding:
    """Record a fact and compute the points of its row. The same `token` twice is one finding.

    `rule` None with `points`: a judged score of a clause (or row) that has no rule; the latest one counts.
    Raises BadInput (nothing written), CardClosed, NotVisible, NotAllowed.
    """
    typed = _Typed(
        indicator, clause, rule, occurred_on, count, value, level, inputs or {}, holds, points, note, source, task,
        evidence,
    )  # fmt: skip
    with transaction.atomic():
        cards = lock_cards(scorecard, [indicator.pk])
        card = cards[scorecard.pk]
        scope = require_assessor(card, actor, at, _("评定"))
        _require_token(token)
        known = Finding.objects.filter(token=token).first()
        if known is not None:
            if known.scorecard_id != card.pk or known.recorded_by_id != actor.user_id:
                raise TokenUsed()
            copy_to(scorecard, card)
            return known
        _require_open(card)
        row, finding = _prepare(card, scope, typed, at, complete=True)
        finding.recorded_by, finding.recorded_at, finding.token = actor.user, at, token
        finding.save(force_insert=True)
        changes = _apply(cards, card, [row], scope, at)
        _record(finding, row, changes, actor, at)
        copy_to(scorecard, card)
    return finding


def preview_finding(
    *,
    scorecard: Scorecard,
    indicator: Indicator,
    clause: Clause | None = None,
    rule: ScoringRule | None = None,
    actor: Actor,
    at: datetime,
    occurred_on: date | None = None,
    count: Decimal | int | None = None,
    value: Decimal | int | None = None,
    level: str = "",
    inputs: Mapping[str, Decimal] | None = None,
    holds: bool | None = None,
    points: Decimal | int | None = None,
    note: str = "",
    source: str = "",
    task: Task | None = None,
    evidence: Evidence | None = None,
) -> Preview:
    """What the points would become. Writes nothing; refuses what recording would refuse, but needs no source yet."""
    day = occurred_on or day_of(at)
    typed = _Typed(
        indicator, clause, rule, day, count, value, level, inputs or {}, holds, points, note, source, task, evidence
    )
    card = Scorecard.objects.select_related("office", "version").filter(pk=scorecard.pk).first()
    if card is None:
        raise NotVisible()
    scope = require_assessor(card, actor, at, _("评定"))
    _require_open(card)
    row, finding = _prepare(card, scope, typed, at, complete=False, dated=occurred_on is not None)
    standing = _standing(card, row)
    before, after = row.results(standing), row.results([*standing, finding])
    entries = list(card.entries.order_by("id"))
    for entry in entries:
        if entry.indicator_id == row.indicator.pk:
            entry.earned, entry.state = after[entry.clause_id].earned, after[entry.clause_id].state
    slot = row.slot_of(finding.clause)
    return Preview(
        entry_before=before[slot.clause_id].earned,
        entry_after=after[slot.clause_id].earned,
        row_before=row.evaluate(standing).earned,
        row_after=row.evaluate([*standing, finding]).earned,
        card_before=card.earned,
        card_after=totals_of(entries)[1],
        state=after[slot.clause_id].state,
        breakdown=after[slot.clause_id].breakdown,
        row=row.evaluate([*standing, finding]),
    )


def void_finding(*, finding: Finding, actor: Actor, at: datetime, reason: str) -> Finding:
    """Withdraw a finding with a reason. It stays readable, and no longer counts."""
    with transaction.atomic():
        cards = lock_cards(finding.scorecard, [finding.indicator_id])
        card = cards[finding.scorecard_id]
        scope = require_assessor(card, actor, at, _("撤销"))
        finding.refresh_from_db()
        if finding.voided_at is not None:
            raise AlreadyVoided(name=finding.voided_by, at=written(finding.voided_at))
        _require_open(card)
        reason = clean_reason(reason, required=_("撤销必须说明理由。"))
        finding.voided_at, finding.voided_by, finding.void_reason = at, actor.user, reason
        finding.save(update_fields=["voided_at", "voided_by", "void_reason"])
        (row,) = load_rows(card.version, [finding.indicator_id])
        changes = _apply(cards, card, [row], scope, at)
        record(
            actor=actor,
            at=at,
            verb="finding.voided",
            subject=finding,
            office_id=card.office_id,
            detail={"reason": reason, "code": row.label(finding.clause), "changes": _changes(changes)},
        )
        _tell_office(finding, card, row, changes, actor, at, voided=reason)
        copy_to(finding.scorecard, card)
    return finding


def judge_full(
    *,
    scorecard: Scorecard,
    actor: Actor,
    at: datetime,
    token: str,
    source: str,
    indicators: Iterable[Indicator] | None = None,
) -> list[Finding]:
    """无扣分事项,按满分评定: a finding for each item that is still to be judged (of these rows, or all).

    Only items without any rule: what a rule or a poll decides is never filled in. One entry in the trail lists them.
    """
    with transaction.atomic():
        wanted = None if indicators is None else {indicator.pk for indicator in indicators}
        shown_rows = set(scorecard.entries.values_list("indicator_id", flat=True))
        ids = shown_rows if wanted is None else shown_rows & wanted
        cards = lock_cards(scorecard, ids)
        card = cards[scorecard.pk]
        scope = require_assessor(card, actor, at, _("评定"))
        _require_token(token)
        entries = list(card.entries.filter(indicator_id__in=ids).order_by("id"))
        tokens = {entry.pk: _token_of(token, entry) for entry in entries}
        done = list(Finding.objects.filter(token__in=tokens.values()).order_by("id"))
        if done:
            return done
        _require_open(card)
        source = clean_reason(source, required=_("请写明依据。"), name="source")
        rows = {row.indicator.pk: row for row in load_rows(card.version, ids)}
        findings = []
        for entry, row, points in _to_judge(cards, entries, rows):
            findings.append(
                Finding(
                    scorecard=card,
                    indicator=row.indicator,
                    clause_id=entry.clause_id,
                    occurred_on=day_of(at),
                    points=points,
                    note=FULL,
                    source=source,
                    recorded_by=actor.user,
                    recorded_at=at,
                    token=tokens[entry.pk],
                )
            )
        if not findings:
            raise BadInput({"indicators": [_("所选各项中没有尚待人工评定的条款。")]})
        for finding in findings:
            finding.save(force_insert=True)
        touched = [rows[pk] for pk in dict.fromkeys(finding.indicator_id for finding in findings)]
        _apply(cards, card, touched, scope, at)
        items = [
            {"finding": f.pk, "code": rows[f.indicator_id].label(f.clause), "points": format_points(f.points)}
            for f in findings
        ]
        summary = f"{FULL},共{len(items)}条"
        record(
            actor=actor,
            at=at,
            verb="finding.recorded",
            subject=card,
            office_id=card.office_id,
            detail={"summary": summary, "source": source, "items": items},
        )
        copy_to(scorecard, card)
    return findings


def _to_judge(cards: dict[int, Scorecard], entries: list[ScoreEntry], rows: dict[int, Row]):
    """(entry, row, full points) of what nobody has judged yet and no rule decides."""
    judged = {
        (indicator_id, clause_id if rows[indicator_id].figures else None)
        for indicator_id, clause_id in Finding.objects.filter(
            scorecard__in=cards, indicator_id__in=rows, rule=None, voided_at=None
        ).values_list("indicator_id", "clause_id")
    }
    for entry in entries:
        row = rows[entry.indicator_id]
        if entry.state in (ScoreEntry.State.SCORED, ScoreEntry.State.IN_ROW):
            continue
        if row.figures and entry.clause_id is None:
            continue
        clause = next((c for c in row.clauses if c.pk == entry.clause_id), None)
        points = row.judgeable(clause)
        if points is not None and (entry.indicator_id, entry.clause_id) not in judged:
            yield entry, row, points


# ------------------------------------------------------------------ checks


def _require_token(token: str) -> None:
    if not token or len(token) > MAX_TOKEN:
        raise BadInput({"token": [_("表单已失效,请刷新页面后重新填写。")]})


def _token_of(token: str, entry: ScoreEntry) -> str:
    return hashlib.sha256(f"{token}:{entry.pk}".encode()).hexdigest()[:MAX_TOKEN]


def _require_open(card: Scorecard) -> None:
    if card.state != Scorecard.State.OPEN:
        raise CardClosed(office=card.office, state=card.get_state_display(), how=how_to_open(card))


def _standing(card: Scorecard, row: Row) -> list[Finding]:
    return list(
        Finding.objects.filter(
            scorecard__version_id=card.version_id, indicator_id=row.indicator.pk, voided_at=None
        ).order_by("id")
    )


def _prepare(
    card: Scorecard, scope: Scope, typed: _Typed, at: datetime, *, complete: bool, dated: bool = True
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
    card: Scorecard, row: Row, typed: _Typed, problems: dict[str, list[str]]
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
    if slot is None:
        problems["clause"] = [_("此项没有分值,不能记录考核事实。")]
    elif card.office_id not in slot.offices:
        names = "、".join(str(r.office or r.name) for r, ids in row.responsibilities if set(ids) & set(slot.offices))
        problems["clause"] = [_("{code}由{names}负责,请在其得分表上记录。").format(code=row.label(clause), names=names)]
    elif stored is None and (slot.clause != clause or row.judgeable(clause) is None):
        problems["rule"] = [
            _("本项各条有分值,请选择要评定的条款。")
            if row.figures and clause is None
            else _("本条按规则计分,请选择所依据的规则。")
        ]
    return clause, stored


def _check_basis(
    card: Scorecard, scope: Scope, typed: _Typed, problems: dict[str, list[str]], *, complete: bool
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


def _check_date(
    card: Scorecard, rule: Rule | None, typed: _Typed, at: datetime, problems: dict[str, list[str]]
) -> None:
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
    card: Scorecard, clause: Clause | None, rule: ScoringRule | None, typed: _Typed, problems: dict[str, list[str]]
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
    extra = rule is not None and not any(spec.name == "points" for spec in specs) and finding.points is not None
    if extra:
        said.append(_("本规则不需要评定分。"))
    for text in said:
        name = next((spec.name for spec in specs if spec.label in text), "fact")
        problems.setdefault(name, []).append(text)
    if not problems:
        try:
            row.results([*_standing(card, row), finding])
        except FactError as error:
            problems["fact"] = list(error.problems)


# ------------------------------------------------------------------ after the change


def _apply(cards: dict[int, Scorecard], card: Scorecard, rows: list[Row], scope: Scope, at: datetime) -> list[Change]:
    """Compute the rows; whoever belongs to another office that it touches may not do this."""
    before = card.revision
    changes = apply(cards=cards, rows=rows, at=at)
    for pk in {change.entry.scorecard_id for change in changes}:
        if cards[pk].office_id in scope.member:
            raise OwnOffice(office=cards[pk].office, action=_("评定"))
    if card.revision == before:  # superseded or without effect: the page is stale all the same
        card.revision += 1
        card.save(update_fields=["revision"])
    return changes


def _changes(changes: list[Change]) -> list[dict[str, object]]:
    return [
        {
            "entry": change.entry.pk,
            "before": shown(change.before),
            "after": shown(change.entry.earned),
        }
        for change in changes
    ]


def _record(finding: Finding, row: Row, changes: list[Change], actor: Actor, at: datetime) -> None:
    what = finding.rule.quote[:60] if finding.rule else "评定分"
    facts = facts_of(finding)
    facts.pop("note")  # may name people: the trail holds its digest, the finding holds the words
    record(
        actor=actor,
        at=at,
        verb="finding.recorded",
        subject=finding,
        office_id=finding.scorecard.office_id,
        detail={
            "summary": f"{row.label(finding.clause)} {what}",
            "facts": facts,
            "note_sha256": hashlib.sha256(finding.note.encode()).hexdigest(),
            "changes": _changes(changes),
        },
    )
    _tell_office(finding, finding.scorecard, row, changes, actor, at)


def _tell_office(
    finding: Finding,
    card: Scorecard,
    row: Row,
    changes: list[Change],
    actor: Actor,
    at: datetime,
    *,
    voided: str = "",
) -> None:
    """The office's heads hear of what moved their points (its people, where it has no head)."""
    moved = [c for c in changes if c.entry.scorecard_id == card.pk and c.before != c.entry.earned]
    if not moved:
        return
    people = office_people(card, at, heads_only=True) or office_people(card, at)
    steps = "、".join(f"{shown(c.before) or '—'} → {shown(c.entry.earned) or '—'}" for c in moved)
    title = _("考核事实已撤销:{code} {title}") if voided else _("新的考核事实:{code} {title}")
    notify(
        messages=[
            Message(
                key=f"{'voided' if voided else 'finding'}:{finding.pk}",
                kind="finding",
                title=title.format(code=row.label(finding.clause), title=row.indicator.title),
                body=_("得分 {steps}。{reason}").format(steps=steps, reason=voided),
                url=url_of(card),
                recipients=frozenset(people - {actor.user_id}),
            )
        ],
        at=at,
    )
