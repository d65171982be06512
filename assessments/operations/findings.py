"""Findings: facts with a date and a source, that cost or earn points. Never edited, only voided and recorded anew."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.errors import NotVisible
from accounts.grants import Scope
from assessments.digest import facts_of, shown
from assessments.errors import AlreadyVoided, OwnOffice, TokenUsed
from assessments.models import Finding, Scorecard, ScoreEntry
from assessments.operations.checks import Typed, prepare, require_open, require_token, standing_of, token_of
from assessments.operations.common import (
    clean_reason,
    copy_to,
    day_of,
    lock_cards,
    office_people,
    require_assessor,
    url_of,
    written,
)
from assessments.operations.recompute import Change, apply, totals_of
from assessments.rows import Row, load_rows
from audit.operations import record
from notifications.operations import Message, notify
from schemes.models import Clause, Indicator, ScoringRule
from scoring.breakdown import Breakdown
from scoring.points import format_points
from tasks.models import Evidence, Task

FULL = "无扣分事项,按满分评定"


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
    typed = Typed(
        indicator, clause, rule, occurred_on, count, value, level, inputs or {}, holds, points, note, source, task,
        evidence,
    )  # fmt: skip
    with transaction.atomic():
        cards = lock_cards(scorecard, [indicator.pk])
        card = cards[scorecard.pk]
        scope = require_assessor(card, actor, at, _("评定"))
        require_token(token)
        known = Finding.objects.filter(token=token).first()
        if known is not None:
            if known.scorecard_id != card.pk or known.recorded_by_id != actor.user_id:
                raise TokenUsed()
            copy_to(scorecard, card)
            return known
        require_open(card)
        row, finding = prepare(card, scope, typed, at, complete=True)
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
    typed = Typed(
        indicator, clause, rule, day, count, value, level, inputs or {}, holds, points, note, source, task, evidence
    )
    card = Scorecard.objects.select_related("office", "version").filter(pk=scorecard.pk).first()
    if card is None:
        raise NotVisible()
    scope = require_assessor(card, actor, at, _("评定"))
    require_open(card)
    row, finding = prepare(card, scope, typed, at, complete=False, dated=occurred_on is not None)
    standing = standing_of(card, row)
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
        require_open(card)
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
    Nothing to judge: nothing is written.
    """
    with transaction.atomic():
        wanted = None if indicators is None else {indicator.pk for indicator in indicators}
        shown_rows = set(scorecard.entries.values_list("indicator_id", flat=True))
        ids = shown_rows if wanted is None else shown_rows & wanted
        cards = lock_cards(scorecard, ids)
        card = cards[scorecard.pk]
        scope = require_assessor(card, actor, at, _("评定"))
        require_token(token)
        entries = list(card.entries.filter(indicator_id__in=ids).order_by("id"))
        tokens = {entry.pk: token_of(token, entry) for entry in entries}
        done = list(Finding.objects.filter(token__in=tokens.values()).order_by("id"))
        if done:
            return done
        require_open(card)
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
            return []
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
    title = "考核事实已撤销" if voided else "新的考核事实"
    notify(
        messages=[
            Message(
                key=f"{'voided' if voided else 'finding'}:{finding.pk}",
                kind="finding",
                title=f"{title}:{row.label(finding.clause)} {row.indicator.title}",
                body=f"得分 {steps}。{voided}",
                url=url_of(card),
                recipients=frozenset(people - {actor.user_id}),
            )
        ],
        at=at,
    )
