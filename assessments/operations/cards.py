"""The life of a scorecard: opened, finished by a reviewer, signed by a leader, opened again with a reason."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.errors import BadInput
from accounts.grants import Power, fresh_scope, holders
from accounts.models import Office
from assessments.digest import digest_of, shown
from assessments.errors import DigestChanged, NobodyAnswers, NoPower, NotIssued, SignerInvolved, WrongPassword
from assessments.models import Finding, Scorecard, ScoreEntry, SignOff
from assessments.operations.common import (
    assessors,
    clean_reason,
    day_of,
    lock_card,
    names_of,
    office_people,
    require_assessor,
    require_revision,
    require_signer,
    require_state,
    url_of,
)
from assessments.operations.recompute import OPEN_STATES, computed, totals_of
from assessments.rows import Row, load_rows
from audit.operations import record
from notifications.operations import Message, notify
from schemes.models import SchemeVersion
from scoring.points import ZERO
from tasks.models import Submission

State = Scorecard.State


def open_scorecards(*, version: SchemeVersion, actor: Actor, at: datetime) -> list[Scorecard]:
    """One scorecard per office that answers for points, with an entry per item. Existing ones stay as they are."""
    with transaction.atomic():
        version = SchemeVersion.objects.select_for_update().get(pk=version.pk)
        rows = load_rows(version)
        offices = {pk for row in rows for slot in row.slots() for pk in slot.offices}
        _require_opener(actor, offices, at)
        if version.status != SchemeVersion.Status.ISSUED:
            raise NotIssued()
        _require_owners(rows)
        cards = {card.office_id: card for card in Scorecard.objects.filter(version=version).select_related("office")}
        fresh = [
            Scorecard.objects.create(version=version, office=office, max_points=ZERO, held_since=at)
            for office in Office.objects.filter(pk__in=offices - set(cards)).order_by("position", "id")
        ]
        cards |= {card.office_id: card for card in fresh}
        _create_entries(rows, cards, {card.pk for card in fresh}, at)
        for card in fresh:
            record(actor=actor, at=at, verb="scorecard.opened", subject=card, office_id=card.office_id)
        notify(messages=[_ready_to_score(card, at) for card in fresh], at=at)
    return sorted(cards.values(), key=lambda card: (card.office.position, card.office_id))


def _require_opener(actor: Actor, offices: set[int], at: datetime) -> None:
    """A coordinator or reviewer of all the offices, or the system."""
    if actor.is_system:
        return
    scope = fresh_scope(actor.user, on=day_of(at))
    beyond = offices - scope.coordinate - scope.review
    if beyond or not (scope.coordinate or scope.review):
        names = _("、").join(Office.objects.filter(pk__in=beyond).values_list("name", flat=True))
        raise NoPower(office=names, power=_("统筹”或“审核与评分"), action=_("建立得分表"))


def _require_owners(rows: list[Row]) -> None:
    orphans = [row.label(slot.clause) for row in rows for slot in row.slots() if not slot.offices]
    if orphans:
        raise NobodyAnswers(rows=_("、").join(orphans))


def _create_entries(rows: list[Row], cards: dict[int, Scorecard], fresh: set[int], at: datetime) -> None:
    findings: dict[int, list[Finding]] = {}
    for finding in Finding.objects.filter(scorecard__in=[card.pk for card in cards.values()], voided_at=None):
        findings.setdefault(finding.indicator_id, []).append(finding)
    entries: dict[int, list[ScoreEntry]] = {pk: [] for pk in fresh}
    for row in rows:
        slots = row.slots()
        results = row.results(findings.get(row.indicator.pk, [])) if slots else {}
        for slot in slots:
            for card in (cards[pk] for pk in slot.offices if cards[pk].pk in fresh):
                entries[card.pk].append(
                    ScoreEntry(
                        scorecard=card,
                        indicator=row.indicator,
                        clause=slot.clause,
                        shared=slot.shared,
                        max_points=slot.max_points,
                        computed_at=at,
                        **computed(results[slot.clause_id]),
                    )
                )
    ScoreEntry.objects.bulk_create([entry for made in entries.values() for entry in made])
    for card in cards.values():
        if card.pk in fresh:
            card.max_points, card.earned, card.unresolved = totals_of(entries[card.pk])
            card.save(update_fields=["max_points", "earned", "unresolved"])


def _ready_to_score(card: Scorecard, at: datetime) -> Message:
    return Message(
        key=f"score:{card.pk}:{card.revision}",
        kind="score",
        title=f"请评分:{card.office}",
        url=url_of(card),
        recipients=frozenset(assessors(card, at)),
    )


def finish(*, scorecard: Scorecard, actor: Actor, at: datetime, revision: int | None) -> Scorecard:
    """完成评分: nothing open is left; on to the leader."""
    action = _("完成评分")
    with transaction.atomic():
        card = lock_card(scorecard)
        require_assessor(card, actor, at, action)
        require_state(card, State.OPEN, action)
        require_revision(card, revision)
        missing = _missing(card)
        if missing:
            raise BadInput({"entries": missing})
        _move(card, State.FINISHED, at, finished_at=at, finished_by=actor.user)
        record(
            actor=actor,
            at=at,
            verb="scorecard.finished",
            subject=card,
            office_id=card.office_id,
            detail={"earned": shown(card.earned), "points": shown(card.max_points), "digest": digest_of(card)},
        )
        signers = holders(power=Power.SIGN, office_ids={card.office_id})[card.office_id]
        involved = _involved(card)
        leaders = frozenset(signers - set(involved))
        title = f"{'请签批' if leaders else '无人可签批'}:{card.office}得分 {shown(card.earned)}"
        people = leaders or holders(power=Power.COORDINATE, office_ids={card.office_id})[card.office_id]
        notify(
            messages=[
                Message(
                    key=f"sign:{card.pk}:{card.revision}",
                    kind="sign" if leaders else "alert",
                    level="info" if leaders else "amber",
                    title=title,
                    body=f"{actor.label}已完成评分。",
                    url=url_of(card),
                    recipients=frozenset(people),
                )
            ],
            at=at,
        )
    return card


def _missing(card: Scorecard) -> list[str]:
    """What still has to be decided, each with its row."""
    entries = (
        card.entries.filter(state__in=OPEN_STATES)
        .select_related("indicator", "clause")
        .order_by("indicator__section__position", "indicator__position", "clause__position", "id")
    )
    texts: list[str] = []
    for entry in entries:
        for reason in entry.breakdown["unresolved"]:
            code = entry.breakdown["key"] or entry.indicator.code
            texts.append(reason if reason.startswith(entry.indicator.code) else f"{code}:{reason}")
    if len(texts) < card.unresolved:
        texts.append(_("另有待定项,请刷新后查看。"))
    return list(dict.fromkeys(texts))


def send_back(*, scorecard: Scorecard, actor: Actor, at: datetime, revision: int | None, reason: str) -> Scorecard:
    """The leader sends the scorecard back for scoring, with a reason."""
    action = _("退回重新评分")
    with transaction.atomic():
        card = lock_card(scorecard)
        require_signer(card, actor, at, action)
        require_state(card, State.FINISHED, action)
        require_revision(card, revision)
        reason = clean_reason(reason, required=_("退回必须说明理由。"))
        finisher = card.finished_by_id
        _move(card, State.OPEN, at, finished_at=None, finished_by=None)
        record(
            actor=actor,
            at=at,
            verb="scorecard.sent_back",
            subject=card,
            office_id=card.office_id,
            detail={"reason": reason},
        )
        _tell_assessors(card, "sentback", "得分表被退回", reason, finisher, actor, at)
    return card


def _tell_assessors(
    card: Scorecard, kind: str, title: str, reason: str, finisher: int | None, actor: Actor, at: datetime
) -> None:
    people = assessors(card, at) | ({finisher} if finisher else set())
    notify(
        messages=[
            Message(
                key=f"{kind}:{card.pk}:{card.revision}",
                kind=kind,
                level="amber",
                title=f"{title}:{card.office}",
                body=reason,
                url=url_of(card),
                recipients=frozenset(people - {actor.user_id}),
            )
        ],
        at=at,
    )


def sign_off(
    *,
    scorecard: Scorecard,
    actor: Actor,
    at: datetime,
    revision: int | None,
    digest: str,
    password_ok: bool,
    opinion: str = "",
) -> SignOff:
    """签批: by a leader who neither filed nor scored; over exactly what was shown (`digest`)."""
    action = _("签批")
    with transaction.atomic():
        card = lock_card(scorecard)
        require_signer(card, actor, at, action)
        _require_uninvolved(card, actor)
        require_state(card, State.FINISHED, action)
        if digest != digest_of(card):
            raise DigestChanged()
        require_revision(card, revision)
        if not password_ok:
            raise WrongPassword()
        opinion = clean_reason(opinion, name="opinion")
        signature = SignOff.objects.create(
            scorecard=card, signer=actor.user, at=at, digest=digest, earned=card.earned, opinion=opinion
        )
        _move(card, State.SIGNED, at)
        record(
            actor=actor,
            at=at,
            verb="scorecard.signed",
            subject=card,
            office_id=card.office_id,
            detail={"earned": shown(card.earned), "digest": digest, "signature": signature.pk},
        )
        notify(
            messages=[
                Message(
                    key=f"signed:{card.pk}:{card.revision}",
                    kind="signed",
                    title=f"已签批:{card.office}得分 {shown(card.earned)}",
                    url=url_of(card),
                    recipients=frozenset((office_people(card, at) | assessors(card, at)) - {actor.user_id}),
                )
            ],
            at=at,
        )
    return signature


def _involved(card: Scorecard) -> dict[int, str]:
    """Who has a hand in this scorecard, and how: they do not sign it."""
    involved: dict[int, str] = {}
    filed = Submission.objects.filter(task__office_id=card.office_id, task__version_id=card.version_id)
    for column, why in (
        ("submitted_by_id", _("曾为{office}报送").format(office=card.office)),
        ("confirmed_by_id", _("曾为{office}确认报送").format(office=card.office)),
    ):
        for pk in filed.exclude(submitted_at=None).order_by().values_list(column, flat=True).distinct():
            involved.setdefault(pk, why)
    shared = card.entries.filter(shared=True).values("indicator_id")
    recorded = Finding.objects.filter(
        Q(scorecard=card) | Q(scorecard__version_id=card.version_id, indicator_id__in=shared)
    ).order_by()
    for column, why in (
        ("recorded_by_id", _("曾记录这份得分表的考核事实")),
        ("voided_by_id", _("曾撤销这份得分表的考核事实")),
    ):
        for pk in recorded.values_list(column, flat=True).distinct():
            involved.setdefault(pk, why)
    involved.setdefault(card.finished_by_id, _("完成了这份得分表的评分"))
    involved.pop(None, None)
    return involved


def _require_uninvolved(card: Scorecard, actor: Actor) -> None:
    involved = _involved(card)
    if actor.user_id in involved:
        others = holders(power=Power.SIGN, office_ids={card.office_id})[card.office_id] - set(involved)
        who = (
            _("可以签批的有:{names}。").format(names=names_of(others))
            if others
            else _("目前没有其他人可以签批,请统筹人员授权另一位领导。")
        )
        raise SignerInvolved(why=involved[actor.user_id], who=who)


def reopen(*, scorecard: Scorecard, actor: Actor, at: datetime, reason: str) -> Scorecard:
    """Withdraw the signature with a reason: the scorecard is scored again."""
    action = _("重新打开")
    with transaction.atomic():
        card = lock_card(scorecard)
        require_signer(card, actor, at, action)
        require_state(card, State.SIGNED, action)
        reason = clean_reason(reason, required=_("重新打开必须说明理由。"))
        finisher = card.finished_by_id
        SignOff.objects.filter(scorecard=card, withdrawn_at=None).update(
            withdrawn_at=at, withdrawn_by=actor.user, withdraw_reason=reason
        )
        _move(card, State.OPEN, at, finished_at=None, finished_by=None)
        record(
            actor=actor,
            at=at,
            verb="scorecard.reopened",
            subject=card,
            office_id=card.office_id,
            detail={"reason": reason},
        )
        _tell_assessors(card, "reopened", "得分表已重新打开", reason, finisher, actor, at)
    return card


def signature_stands(scorecard: Scorecard) -> bool:
    """Whether there is a signature, and it covers what the database holds now (otherwise: 签批后有变动)."""
    signature = SignOff.objects.filter(scorecard=scorecard, withdrawn_at=None).first()
    return signature is not None and signature.digest == digest_of(scorecard)


def _move(card: Scorecard, state: str, at: datetime, **changes: object) -> None:
    card.state = state
    card.revision += 1
    card.held_since = at
    for name, value in changes.items():
        setattr(card, name, value)
    card.save(update_fields=["state", "revision", "held_since", *changes])
