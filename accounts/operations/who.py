"""Who may administer whom, and which duties one person may not have together."""

from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.actors import Actor
from accounts.errors import NotAllowed, NotVisible, Refusal
from accounts.grants import fresh_scope
from accounts.models import Office, User
from accounts.queries import groups_of, reach_of


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


def require_somebody_else(actor: Actor, user: User) -> None:
    if actor.user_id == user.pk:
        raise OnOneself()


def locked_person(user: User) -> User:
    """The person's row, locked: what is checked about them still holds when it is changed."""
    found = User.objects.select_for_update().filter(pk=user.pk).first()
    if found is None:
        raise NotVisible()
    return found


def require_separation(user: User, wanted: str, *, on: date) -> None:
    held = groups_of(user, on=on) - {wanted}
    if held:
        raise DutiesMixed(name=user, held=_group_name(sorted(held)[0]), wanted=_group_name(wanted))


def _group_name(group: str) -> str:
    return {"business": _("业务办理"), "administer": _("系统管理"), "audit": _("审计")}[group]


def locked_office(office: Office) -> Office:
    found = Office.objects.select_for_update().filter(pk=office.pk).first()
    if found is None:
        raise NotVisible()
    return found
