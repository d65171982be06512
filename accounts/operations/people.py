"""People and their accounts."""

import secrets
from datetime import datetime

from axes.utils import reset as unlock
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.errors import BadInput
from accounts.models import Membership, Office, User
from accounts.operations.duties import start_membership
from accounts.operations.who import locked_person, require_office, require_person, require_somebody_else
from accounts.trail import record

# no 0/O, 1/l/I: it is read out on the telephone
ONE_TIME_ALPHABET = "abcdefghjkmnpqrstuvwxyzACDEFGHJKLMNPQRTUVWXY2346789"
ONE_TIME_LENGTH = 12


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
        user = locked_person(user)
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
        user = locked_person(user)
        require_person(actor, user)
        require_somebody_else(actor, user)
        if user.is_active:
            user.is_active = False
            user.save(update_fields=["is_active"])
            record(actor=actor, at=at, verb="account.disabled", subject=user, detail={"name": user.name})
    return user


def enable_user(*, actor: Actor, at: datetime, user: User) -> User:
    with transaction.atomic():
        user = locked_person(user)
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
        user = locked_person(user)
        require_person(actor, user)
        require_somebody_else(actor, user)
        password = one_time_password()
        user.set_password(password)
        user.must_change_password = True
        user.save(update_fields=["password", "must_change_password"])
        unlock(username=user.username)
        record(actor=actor, at=at, verb="account.password_reset", subject=user, detail={"name": user.name})
    return password
