"""What the operations on scorecards share: who may, in which state, and whom to tell."""

from collections.abc import Iterable
from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.errors import BadInput, NotVisible, Stale
from accounts.grants import Power, Scope, fresh_scope, holders, members
from accounts.models import User
from assessments.errors import CardWrongState, NoPower, OwnOffice
from assessments.models import Scorecard, ScoreEntry

MAX_REASON = 200
MAX_NOTE = 2000


def day_of(at: datetime):
    return timezone.localdate(at)


def written(at: datetime) -> str:
    """An instant as people read it."""
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M")


def url_of(card: Scorecard) -> str:
    return f"/work/scorecards/{card.pk}/"


def names_of(user_ids: Iterable[int]) -> str:
    return _("、").join(str(user) for user in User.objects.filter(pk__in=list(user_ids)).order_by("pk"))


def lock_card(scorecard: Scorecard) -> Scorecard:
    """Lock the scorecard until the transaction ends, and bring the object that was handed in up to date."""
    locked = Scorecard.objects.select_for_update(of=("self",)).select_related("office", "version", "finished_by")
    try:
        scorecard.refresh_from_db(from_queryset=locked)
    except Scorecard.DoesNotExist:
        raise NotVisible() from None
    return scorecard


def lock_cards(scorecard: Scorecard, indicator_ids: Iterable[int]) -> dict[int, Scorecard]:
    """Lock a scorecard and every other one that shows any of the rows, always in the same order."""
    showing = ScoreEntry.objects.filter(
        indicator_id__in=list(indicator_ids), scorecard__version_id=scorecard.version_id
    ).values("scorecard_id")
    found = (
        Scorecard.objects.select_for_update(of=("self",))
        .select_related("office", "version")
        .filter(Q(pk=scorecard.pk) | Q(pk__in=showing))
        .order_by("pk")
    )
    cards = {card.pk: card for card in found}
    if scorecard.pk not in cards:
        raise NotVisible()
    return cards


def copy_to(scorecard: Scorecard, card: Scorecard) -> None:
    """Let the object the caller holds show what was written."""
    if scorecard is not card:
        for column in Scorecard._meta.concrete_fields:
            if not isinstance(column, models.ForeignKey):
                setattr(scorecard, column.attname, getattr(card, column.attname))


def visible_scope(card: Scorecard, actor: Actor, at: datetime) -> Scope:
    """The actor's scope, or NotVisible when the office's business is not theirs to see."""
    scope = fresh_scope(actor.user, on=day_of(at))
    if card.office_id not in scope.readable:
        raise NotVisible()
    return scope


def require_assessor(card: Scorecard, actor: Actor, at: datetime, action: str) -> Scope:
    """A holder of review power who does not belong to the office."""
    scope = visible_scope(card, actor, at)
    if card.office_id in scope.member:
        raise OwnOffice(office=card.office, action=action)
    if card.office_id not in scope.review:
        raise NoPower(office=card.office, power=_("审核与评分"), action=action)
    return scope


def require_signer(card: Scorecard, actor: Actor, at: datetime, action: str) -> Scope:
    scope = visible_scope(card, actor, at)
    if card.office_id not in scope.sign:
        raise NoPower(office=card.office, power=_("审定签批"), action=action)
    return scope


def require_state(card: Scorecard, state: str, action: str) -> None:
    if card.state != state:
        raise CardWrongState(office=card.office, state=card.get_state_display(), action=action)


def require_revision(card: Scorecard, revision: int | None) -> None:
    if revision is not None and revision != card.revision:
        raise Stale()


def clean_reason(reason: str, *, required: str = "", longest: int = MAX_REASON, name: str = "reason") -> str:
    """The reason without blanks around it; BadInput when it is missing (`required` says so) or too long."""
    reason = (reason or "").strip()
    if required and not reason:
        raise BadInput({name: [required]})
    if len(reason) > longest:
        raise BadInput({name: [_("最多{n}字,现有{m}字。").format(n=longest, m=len(reason))]})
    return reason


def how_to_open(card: Scorecard) -> str:
    """How a scorecard that is not open is opened again."""
    if card.state == Scorecard.State.FINISHED:
        return _("如需改动,请负责签批的领导({who})先退回重新评分。").format(who=_signers(card))
    return _("如需改动,请有签批权限的领导({who})先写明理由重新打开。").format(who=_signers(card))


def _signers(card: Scorecard) -> str:
    people = holders(power=Power.SIGN, office_ids={card.office_id})[card.office_id]
    return names_of(people) or _("目前没有,请联系统筹人员")


def assessors(card: Scorecard, at: datetime) -> set[int]:
    """Who may score this office."""
    people = holders(power=Power.REVIEW, office_ids={card.office_id})[card.office_id]
    return people - members(office_ids={card.office_id}, on=day_of(at))[card.office_id]


def office_people(card: Scorecard, at: datetime, *, heads_only: bool = False) -> set[int]:
    return members(office_ids={card.office_id}, on=day_of(at), heads_only=heads_only)[card.office_id]
