"""What administrators do to people and offices, and what people do to their own accounts.

Every write: check → change → record, in one transaction. A person or an office outside the administrator's reach does
not exist for them (NotVisible). The system itself (commands) may do everything except break the separation of duties.
"""

import secrets
from datetime import date, datetime, timedelta

from axes.utils import reset as unlock
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import grants
from accounts.actors import Actor
from accounts.errors import BadInput, NotAllowed, NotVisible, Refusal
from accounts.grants import Power, fresh_scope
from accounts.models import Membership, Office, User
from accounts.queries import group_of, groups_of, power_name, reach_of
from accounts.trail import record

# no 0/O, 1/l/I: it is read out on the telephone
ONE_TIME_ALPHABET = "abcdefghjkmnpqrstuvwxyzACDEFGHJKLMNPQRTUVWXY2346789"
ONE_TIME_LENGTH = 12


class OnOneself(Refusal):
    """Administrators do not administer themselves."""

    status = 403
    default = gettext_lazy("不能对自己的账号做这一操作。请由另一位系统管理员办理。")


class DutiesMixed(Refusal):
    """系统管理、安全审计、业务办理 are three different people (三员分立)."""

    default = gettext_lazy(
        "{name}已承担“{held}”,不能再承担“{wanted}”:系统管理、审计和业务办理须由不同的人担任。"
        "请先结束原有的任职或权限,或另选一人。"
    )


# ------------------------------------------------------------------ who may


def require_office(actor: Actor, office: Office | None) -> None:
    """The actor administers this office; None: the whole tree (an office without a superior)."""
    if actor.is_system:
        return
    scope = fresh_scope(actor.user)
    if not scope.administer:
        raise NotVisible()
    if office is None:
        if not Office.objects.filter(parent=None, pk__in=scope.administer).exists():
            raise NotAllowed(_("只有管理最上级机构的系统管理员才能这样做。"))
    elif office.pk not in scope.administer:
        raise NotVisible()


def require_person(actor: Actor, user: User) -> None:
    """The actor administers every office this person works in or holds a power over."""
    if actor.is_system:
        return
    scope = fresh_scope(actor.user)
    if not scope.administer:
        raise NotVisible()
    if Office.objects.filter(parent=None, pk__in=scope.administer).exists():
        return
    reach = reach_of(user)
    if not reach or not reach <= scope.administer:
        raise NotVisible()


def _require_somebody_else(actor: Actor, user: User) -> None:
    if actor.user_id == user.pk:
        raise OnOneself()


def _locked(user: User) -> User:
    """The person's row, locked: what is checked about them still holds when it is changed."""
    found = User.objects.select_for_update().filter(pk=user.pk).first()
    if found is None:
        raise NotVisible()
    return found


def _require_separation(user: User, wanted: str, *, on: date) -> None:
    held = groups_of(user, on=on) - {wanted}
    if held:
        raise DutiesMixed(name=user, held=_group_name(sorted(held)[0]), wanted=_group_name(wanted))


def _group_name(group: str) -> str:
    return {"business": _("业务办理"), "administer": _("系统管理"), "audit": _("审计")}[group]


# ------------------------------------------------------------------ people


def _clean_name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise BadInput({"name": [_("请填写姓名。")]})
    return name


def _check_username(username: str, *, but: User | None = None) -> None:
    others = User.objects.filter(username__iexact=username)
    if but is not None:
        others = others.exclude(pk=but.pk)
    if others.exists():
        raise BadInput({"username": [_("账号“{name}”已有人使用,请换一个。").format(name=username)]})
    try:
        User._meta.get_field("username").clean(username, None)
    except ValidationError as error:
        raise BadInput({"username": list(error.messages)}) from error


def one_time_password() -> str:
    while True:
        password = "".join(secrets.choice(ONE_TIME_ALPHABET) for _unused in range(ONE_TIME_LENGTH))
        if any(c.isdigit() for c in password) and any(c.islower() for c in password):
            return password


def create_user(
    *,
    actor: Actor,
    at: datetime,
    username: str,
    name: str,
    office: Office | None = None,
    role: str = Membership.Role.CLERK,
    password: str | None = None,
) -> tuple[User, str]:
    """A new person, at once working in `office` if one is given. Returns them and the one-time password.

    With `password` (commands only) that is the password, and it need not be changed.
    """
    with transaction.atomic():
        require_office(actor, office)
        username, name = username.strip(), _clean_name(name)
        _check_username(username)
        given = password or one_time_password()
        user = User(username=username, name=name, must_change_password=password is None)
        user.set_password(given)
        user.date_joined = at
        user.save()
        record(
            actor=actor,
            at=at,
            verb="account.created",
            subject=user,
            office_id=office.pk if office else None,
            detail={"name": name, "username": username},
        )
        if office is not None:
            start_membership(actor=actor, at=at, user=user, office=office, role=role)
    return user, given


def change_user(*, actor: Actor, at: datetime, user: User, username: str, name: str) -> User:
    """Correct a name or an account name."""
    with transaction.atomic():
        user = _locked(user)
        require_person(actor, user)
        username, name = username.strip(), _clean_name(name)
        _check_username(username, but=user)
        before = {"name": user.name, "username": user.username}
        after = {"name": name, "username": username}
        if before == after:
            return user
        user.name, user.username = name, username
        user.save(update_fields=["name", "username"])
        record(actor=actor, at=at, verb="account.changed", subject=user, detail={**after, "before": before})
    return user


def disable_user(*, actor: Actor, at: datetime, user: User) -> User:
    """停用, at once: with the next request, and for open pages within seconds. Nothing is deleted."""
    with transaction.atomic():
        user = _locked(user)
        require_person(actor, user)
        _require_somebody_else(actor, user)
        if user.is_active:
            user.is_active = False
            user.save(update_fields=["is_active"])
            record(actor=actor, at=at, verb="account.disabled", subject=user, detail={"name": user.name})
    return user


def enable_user(*, actor: Actor, at: datetime, user: User) -> User:
    with transaction.atomic():
        user = _locked(user)
        require_person(actor, user)
        if not user.is_active:
            user.is_active = True
            user.save(update_fields=["is_active"])
            record(actor=actor, at=at, verb="account.enabled", subject=user, detail={"name": user.name})
    return user


def reset_password(*, actor: Actor, at: datetime, user: User) -> str:
    """A one-time password, to be told to the person: it opens nothing but the page to choose a new one.

    Also lifts the lock after wrong passwords, and ends every session of theirs.
    """
    with transaction.atomic():
        user = _locked(user)
        require_person(actor, user)
        _require_somebody_else(actor, user)
        password = one_time_password()
        user.set_password(password)
        user.must_change_password = True
        user.save(update_fields=["password", "must_change_password"])
        unlock(username=user.username)
        record(actor=actor, at=at, verb="account.password_reset", subject=user, detail={"name": user.name})
    return password


# ------------------------------------------------------------------ offices


def _office(office: Office) -> Office:
    found = Office.objects.select_for_update().filter(pk=office.pk).first()
    if found is None:
        raise NotVisible()
    return found


def _check_office_name(name: str, *, but: Office | None = None) -> str:
    name = " ".join(name.split())
    if not name:
        raise BadInput({"name": [_("请填写机构名称。")]})
    others = Office.objects.filter(name=name)
    if but is not None:
        others = others.exclude(pk=but.pk)
    if others.exists():
        raise BadInput({"name": [_("已有名为“{name}”的机构。请换一个名称,或直接使用已有的机构。").format(name=name)]})
    return name


def _check_parent(parent: Office | None, *, at: datetime) -> None:
    if parent is not None and parent.valid_to is not None and parent.valid_to < timezone.localdate(at):
        raise BadInput({"parent": [_("“{name}”已撤销,不能作为上级机构。").format(name=parent)]})


def create_office(
    *,
    actor: Actor,
    at: datetime,
    name: str,
    parent: Office | None,
    position: int = 0,
    valid_from: date | None = None,
) -> Office:
    with transaction.atomic():
        require_office(actor, parent)
        name = _check_office_name(name)
        _check_parent(parent, at=at)
        office = Office.objects.create(
            name=name, parent=parent, position=position, valid_from=valid_from or timezone.localdate(at)
        )
        record(
            actor=actor,
            at=at,
            verb="office.created",
            subject=office,
            office_id=office.pk,
            detail={"name": name, "parent": parent.name if parent else ""},
        )
    return office


def change_office(
    *, actor: Actor, at: datetime, office: Office, name: str, parent: Office | None, position: int | None = None
) -> Office:
    """Rename or move. What was granted over the office above now covers it, and no longer where it was."""
    with transaction.atomic():
        # the whole tree is held: two moves at once could make a circle that neither would alone
        parents = dict(Office.objects.select_for_update().order_by("id").values_list("id", "parent_id"))
        office = _office(office)
        require_office(actor, office)
        parent_id = parent.pk if parent else None
        if parent_id != office.parent_id:
            require_office(actor, parent)
            _check_parent(parent, at=at)
            cursor = parent_id
            while cursor is not None:
                if cursor == office.pk:
                    raise BadInput({"parent": [_("“{name}”是本机构或它的下级,不能作为上级机构。").format(name=parent)]})
                cursor = parents.get(cursor)
        name = _check_office_name(name, but=office)
        before = {"name": office.name, "parent": office.parent.name if office.parent else ""}
        after = {"name": name, "parent": parent.name if parent else ""}
        position = office.position if position is None else position
        if before == after and position == office.position:
            return office
        office.name, office.parent, office.position = name, parent, position
        office.save(update_fields=["name", "parent", "position"])
        record(
            actor=actor,
            at=at,
            verb="office.changed",
            subject=office,
            office_id=office.pk,
            detail={**after, "before": before},
        )
    return office


def retire_office(*, actor: Actor, at: datetime, office: Office, last_day: date) -> Office:
    """撤销, by date: what it did stays on record. Its people and the offices below it have to be moved first."""
    with transaction.atomic():
        office = _office(office)
        require_office(actor, office)
        if last_day < office.valid_from:
            raise BadInput({"last_day": [_("撤销日期不能早于设立日期 {day}。").format(day=office.valid_from)]})
        still = Membership.objects.filter(office=office).active_on(last_day + timedelta(days=1))
        names = [str(m.user) for m in still.select_related("user").order_by("id")[:5]]
        if names:
            raise Refusal(
                _("“{office}”在撤销日期之后还有人任职({names}),没有撤销。请先为他们办理离任或转到其他机构,再来撤销。"),
                office=office,
                names="、".join(names),
            )
        below = [o.name for o in office.children.active_on(last_day + timedelta(days=1))[:5]]
        if below:
            raise Refusal(
                _("“{office}”还有下级机构({names}),没有撤销。请先把它们划归其他机构或撤销。"),
                office=office,
                names="、".join(below),
            )
        office.valid_to = last_day
        office.save(update_fields=["valid_to"])
        record(
            actor=actor,
            at=at,
            verb="office.retired",
            subject=office,
            office_id=office.pk,
            detail={"name": office.name, "last_day": last_day.isoformat()},
        )
    return office


# ------------------------------------------------------------------ who works where, and who may what


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
        user, office = _locked(user), _office(office)
        require_office(actor, office)
        if reach_of(user):
            require_person(actor, user)
        _require_somebody_else(actor, user)
        if role not in Membership.Role.values:
            raise BadInput({"role": [_("请选择经办人或负责人。")]})
        if not user.is_active:
            raise Refusal(_("{name}已停用,不能任职。请先启用此账号。"), name=user)
        if office.valid_to is not None and office.valid_to < valid_from:
            raise BadInput({"office": [_("“{name}”已撤销,不能任职。").format(name=office)]})
        _require_separation(user, "business", on=min(valid_from, today))
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
                "role": str(Membership.Role(role).label),
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
        _require_somebody_else(actor, membership.user)
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
        user, office = _locked(user), _office(office)
        require_office(actor, office)
        if reach_of(user):
            require_person(actor, user)
        _require_somebody_else(actor, user)
        if not user.is_active:
            raise Refusal(_("{name}已停用,不能授权。请先启用此账号。"), name=user)
        if office.valid_to is not None and office.valid_to < timezone.localdate(at):
            raise BadInput({"office": [_("“{name}”已撤销,不能授权。").format(name=office)]})
        _require_separation(user, group_of(power), on=timezone.localdate(at))
        new = grants.grant(user=user, power=power, office=office)
        if new:
            _record_grant("grant.given", actor=actor, at=at, user=user, power=power, office=office)
    return new


def take(*, actor: Actor, at: datetime, user: User, power: Power, office: Office) -> bool:
    """收回授权. True if it was held."""
    power = Power(power)
    with transaction.atomic():
        user, office = _locked(user), _office(office)
        require_office(actor, office)
        _require_somebody_else(actor, user)
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
        detail={"name": user.name, "office": office.name, "power": str(power_name(power))},
    )


# ------------------------------------------------------------------ one's own account


def logged_in(*, actor: Actor, at: datetime) -> None:
    record(actor=actor, at=at, verb="account.logged_in", subject=actor.user)


def logged_out(*, actor: Actor, at: datetime) -> None:
    record(actor=actor, at=at, verb="account.logged_out", subject=actor.user)


def login_failed(*, actor: Actor, at: datetime, username: str, locked: bool) -> None:
    """A failed try. What was typed is kept only where it names an account: else it may be a mistyped password."""
    known = User.objects.filter(username__iexact=username.strip()[:150]).first()
    record(
        actor=actor,
        at=at,
        verb="account.login_failed",
        subject=known or User(),
        detail={"username": known.username if known else "", "known": known is not None, "locked": locked},
    )


def password_changed(*, actor: Actor, at: datetime) -> None:
    """After the person has chosen a password of their own."""
    user = _locked(actor.user)
    if user.must_change_password:
        user.must_change_password = False
        user.save(update_fields=["must_change_password"])
    record(actor=actor, at=at, verb="account.password_changed", subject=user)
