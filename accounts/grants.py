"""The only door to who may.

Two sources: memberships (an office's own people) and guardian grants on offices (reviewers, coordinators, leaders,
administrators). A grant on an office covers the offices below it. guardian is imported nowhere else.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from django.utils import timezone
from guardian.shortcuts import assign_perm, remove_perm

from accounts.errors import NotAllowed
from accounts.models import Membership, Office, OfficeUserObjectPermission, User


class Power(StrEnum):
    """What somebody may do for the offices granted to them."""

    REVIEW = "review_office"
    COORDINATE = "coordinate_office"
    SIGN = "sign_office"
    ADMINISTER = "administer_office"
    AUDIT = "audit_office"


@dataclass(frozen=True)
class Scope:
    """What a person may reach, as sets of office ids. Empty for strangers and the disabled."""

    user_id: int | None
    member: frozenset[int] = frozenset()
    head: frozenset[int] = frozenset()
    review: frozenset[int] = frozenset()
    coordinate: frozenset[int] = frozenset()
    sign: frozenset[int] = frozenset()
    administer: frozenset[int] = frozenset()
    audit: frozenset[int] = frozenset()

    @property
    def readable(self) -> frozenset[int]:
        """Offices whose business content this person may read. Administrators and auditors read none."""
        return self.member | self.review | self.coordinate | self.sign

    @property
    def has_business(self) -> bool:
        return bool(self.readable)


NOBODY = Scope(user_id=None)


def _with_descendants(roots: dict[str, set[int]]) -> dict[str, set[int]]:
    children: dict[int | None, list[int]] = {}
    for pk, parent in Office.objects.values_list("id", "parent_id").order_by():
        children.setdefault(parent, []).append(pk)
    expanded = {}
    for power, ids in roots.items():
        seen: set[int] = set()
        stack = list(ids)
        while stack:
            pk = stack.pop()
            if pk not in seen:
                seen.add(pk)
                stack.extend(children.get(pk, ()))
        expanded[power] = seen
    return expanded


def fresh_scope(user: User, *, on: date | None = None) -> Scope:
    """Read the person's scope from the database now (two or three queries)."""
    if user is None or not user.is_authenticated or not user.is_active:
        return NOBODY
    on = on or timezone.localdate()
    member, head = set(), set()
    for office_id, role in (
        Membership.objects.active_on(on).filter(user=user).values_list("office_id", "role").order_by()
    ):
        member.add(office_id)
        if role == Membership.Role.HEAD:
            head.add(office_id)
    granted: dict[str, set[int]] = {}
    for office_id, codename in (
        OfficeUserObjectPermission.objects.filter(user=user)
        .values_list("content_object_id", "permission__codename")
        .order_by()
    ):
        granted.setdefault(codename, set()).add(office_id)
    if granted:
        granted = _with_descendants(granted)

    def of(power: Power) -> frozenset[int]:
        return frozenset(granted.get(power, ()))

    return Scope(
        user_id=user.pk,
        member=frozenset(member),
        head=frozenset(head),
        review=of(Power.REVIEW),
        coordinate=of(Power.COORDINATE),
        sign=of(Power.SIGN),
        administer=of(Power.ADMINISTER),
        audit=of(Power.AUDIT),
    )


def scope_of(user: User) -> Scope:
    """The person's scope, read once per request (it lives on the request's user object)."""
    scope = getattr(user, "_zeren_scope", None)
    if scope is None:
        scope = fresh_scope(user)
        if user is not None:
            user._zeren_scope = scope
    return scope


def grant(*, user: User, power: Power, office: Office) -> bool:
    """Give a power over an office and everything below it. True if it is new."""
    held = OfficeUserObjectPermission.objects.filter(user=user, content_object=office, permission__codename=power)
    if held.exists():
        return False
    assign_perm(f"accounts.{power}", user, office)
    user._zeren_scope = None
    return True


def revoke(*, user: User, power: Power, office: Office) -> bool:
    """Take a power back. True if it was held."""
    held = OfficeUserObjectPermission.objects.filter(user=user, content_object=office, permission__codename=power)
    if not held.exists():
        return False
    remove_perm(f"accounts.{power}", user, office)
    user._zeren_scope = None
    return True


def holders(*, power: Power, office_ids: set[int] | frozenset[int]) -> dict[int, set[int]]:
    """office id → ids of active people who hold `power` there (directly or from an office above)."""
    parents = dict(Office.objects.values_list("id", "parent_id").order_by())
    direct: dict[int, set[int]] = {}
    for office_id, user_id in (
        OfficeUserObjectPermission.objects.filter(permission__codename=power, user__is_active=True)
        .values_list("content_object_id", "user_id")
        .order_by()
    ):
        direct.setdefault(office_id, set()).add(user_id)
    result: dict[int, set[int]] = {}
    for office_id in office_ids:
        people: set[int] = set()
        cursor: int | None = office_id
        while cursor is not None:
            people |= direct.get(cursor, set())
            cursor = parents.get(cursor)
        result[office_id] = people
    return result


def members(*, office_ids: set[int] | frozenset[int], on: date, heads_only: bool = False) -> dict[int, set[int]]:
    """office id → ids of its active people on a day."""
    rows = Membership.objects.active_on(on).filter(office_id__in=office_ids, user__is_active=True)
    if heads_only:
        rows = rows.filter(role=Membership.Role.HEAD)
    result: dict[int, set[int]] = {pk: set() for pk in office_ids}
    for office_id, user_id in rows.values_list("office_id", "user_id").order_by():
        result[office_id].add(user_id)
    return result


def require(allowed: bool) -> None:
    """Refuse unless allowed."""
    if not allowed:
        raise NotAllowed()
