"""Who works where (任职), and who may what (授权)."""

from datetime import date, datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import grants
from accounts.actors import Actor
from accounts.errors import BadInput, NotVisible, Refusal
from accounts.grants import Power
from accounts.models import Membership, Office, User
from accounts.operations.who import (
    locked_office,
    locked_person,
    require_office,
    require_person,
    require_separation,
    require_somebody_else,
)
from accounts.queries import group_of, power_name, reach_of
from accounts.trail import kept, record


def start_membership(
    *,
    actor: Actor,
    at: datetime,
    user: User,
    office: Office,
    role: str = Membership.Role.CLERK,
    valid_from: date | None = None,
) -> Membership:
    """任职. One open membership per person and office: a change of role ends the old one first."""
    today = timezone.localdate(at)
    valid_from = valid_from or today
    with transaction.atomic():
        user, office = locked_person(user), locked_office(office)
        require_office(actor, office)
        if reach_of(user):
            require_person(actor, user)
        require_somebody_else(actor, user)
        if role not in Membership.Role.values:
            raise BadInput({"role": [_("请选择经办人或负责人。")]})
        if not user.is_active:
            raise Refusal(_("{name}已停用,不能任职。请先启用此账号。"), name=user)
        if office.valid_to is not None and office.valid_to < valid_from:
            raise BadInput({"office": [_("“{name}”已撤销,不能任职。").format(name=office)]})
        require_separation(user, "business", on=min(valid_from, today))
        standing = Membership.objects.filter(user=user, office=office).active_on(valid_from).first()
        if standing is not None:
            raise Refusal(
                _("{name}已是“{office}”的{role}。要改变身份,请先办理离任。"),
                name=user,
                office=office,
                role=standing.get_role_display(),
            )
        membership = Membership.objects.create(user=user, office=office, role=role, valid_from=valid_from)
        record(
            actor=actor,
            at=at,
            verb="membership.started",
            subject=user,
            office_id=office.pk,
            detail={
                "name": user.name,
                "office": office.name,
                "role": kept(Membership.Role(role).label),
                "from": valid_from.isoformat(),
            },
        )
    return membership


def end_membership(*, actor: Actor, at: datetime, membership: Membership, last_day: date) -> None:
    """离任. `last_day` is the last day on which they still count; one that never came to be is taken back."""
    with transaction.atomic():
        membership = (
            Membership.objects.select_for_update(of=("self",))
            .select_related("user", "office")
            .filter(pk=membership.pk)
            .first()
        )
        if membership is None:
            raise NotVisible()
        require_office(actor, membership.office)
        require_somebody_else(actor, membership.user)
        if membership.valid_to is not None and membership.valid_to < timezone.localdate(at):
            raise Refusal(_("这一任职已于 {day} 结束。"), day=membership.valid_to)
        record(
            actor=actor,
            at=at,
            verb="membership.ended",
            subject=membership.user,
            office_id=membership.office_id,
            detail={
                "name": membership.user.name,
                "office": membership.office.name,
                "from": membership.valid_from.isoformat(),
                "last_day": last_day.isoformat(),
            },
        )
        if last_day < membership.valid_from:
            membership.delete()
        else:
            membership.valid_to = last_day
            membership.save(update_fields=["valid_to"])


def give(*, actor: Actor, at: datetime, user: User, power: Power, office: Office) -> bool:
    """授权 over an office and everything below it. True if it is new."""
    power = Power(power)
    with transaction.atomic():
        user, office = locked_person(user), locked_office(office)
        require_office(actor, office)
        if reach_of(user):
            require_person(actor, user)
        require_somebody_else(actor, user)
        if not user.is_active:
            raise Refusal(_("{name}已停用,不能授权。请先启用此账号。"), name=user)
        if office.valid_to is not None and office.valid_to < timezone.localdate(at):
            raise BadInput({"office": [_("“{name}”已撤销,不能授权。").format(name=office)]})
        require_separation(user, group_of(power), on=timezone.localdate(at))
        new = grants.grant(user=user, power=power, office=office)
        if new:
            _record_grant("grant.given", actor=actor, at=at, user=user, power=power, office=office)
    return new


def take(*, actor: Actor, at: datetime, user: User, power: Power, office: Office) -> bool:
    """收回授权. True if it was held."""
    power = Power(power)
    with transaction.atomic():
        user, office = locked_person(user), locked_office(office)
        require_office(actor, office)
        require_somebody_else(actor, user)
        held = grants.revoke(user=user, power=power, office=office)
        if held:
            _record_grant("grant.taken", actor=actor, at=at, user=user, power=power, office=office)
    return held


def _record_grant(verb: str, *, actor: Actor, at: datetime, user: User, power: Power, office: Office) -> None:
    record(
        actor=actor,
        at=at,
        verb=verb,
        subject=user,
        office_id=office.pk,
        detail={"name": user.name, "office": office.name, "power": kept(power_name(power))},
    )
