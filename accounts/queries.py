"""Reading people and offices: for the pages of the administration, and for the rules of its operations."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date

from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.errors import NotVisible
from accounts.grants import Power, Scope
from accounts.models import Membership, Office, OfficeUserObjectPermission, User

BUSINESS_POWERS = frozenset({Power.REVIEW, Power.COORDINATE, Power.SIGN})
POWER_NAMES = {
    Power.REVIEW: _("审核与评分"),
    Power.COORDINATE: _("统筹与催办"),
    Power.SIGN: _("审定签批"),
    Power.ADMINISTER: _("系统管理"),
    Power.AUDIT: _("查看留痕"),
}
# “可审核:综合处、监督处”
POWER_PHRASES = {
    Power.REVIEW: _("可审核、评分"),
    Power.COORDINATE: _("可统筹、催办"),
    Power.SIGN: _("可审定签批"),
    Power.ADMINISTER: _("可管理机构和人员"),
    Power.AUDIT: _("可查看操作留痕"),
}


def power_name(power: Power):
    return POWER_NAMES[power]


# ------------------------------------------------------------------ separation of duties


def group_of(power: Power) -> str:
    """Which of the three kinds of duty a power belongs to: business, administer, audit."""
    return "business" if power in BUSINESS_POWERS else {Power.ADMINISTER: "administer", Power.AUDIT: "audit"}[power]


def groups_of(user: User, *, on: date) -> set[str]:
    """The kinds of duty a person has on a day or has been given for later."""
    found = {group_of(Power(codename)) for codename in _grants_of(user).values_list("permission__codename", flat=True)}
    if Membership.objects.filter(user=user).filter(Q(valid_to=None) | Q(valid_to__gte=on)).exists():
        found.add("business")
    return found


def _grants_of(user: User):
    return OfficeUserObjectPermission.objects.filter(user=user).order_by()


def reach_of(user: User) -> frozenset[int]:
    """Every office the person works or worked in, or holds a power over: who administers them must administer these."""
    ids = set(Membership.objects.filter(user=user).order_by().values_list("office_id", flat=True))
    ids |= set(_grants_of(user).values_list("content_object_id", flat=True))
    return frozenset(ids)


# ------------------------------------------------------------------ people


def people(scope: Scope) -> QuerySet[User]:
    """Everybody this administrator may see: those of their offices; at the top of the tree, everybody."""
    rows = User.objects.order_by("name", "id")
    if Office.objects.filter(parent=None, pk__in=scope.administer).exists():
        return rows
    offices = list(scope.administer)
    return rows.filter(
        Q(pk__in=Membership.objects.filter(office_id__in=offices).values("user_id"))
        | Q(pk__in=OfficeUserObjectPermission.objects.filter(content_object_id__in=offices).values("user_id"))
    )


def search_people(
    scope: Scope, *, text: str = "", office_id: int | None = None, status: str = "", on: date | None = None
) -> QuerySet[User]:
    """The list's rows; `status`: active, disabled, or both."""
    on = on or timezone.localdate()
    rows = people(scope)
    if text := text.strip():
        rows = rows.filter(Q(name__icontains=text) | Q(username__icontains=text))
    if office_id:
        rows = rows.filter(
            pk__in=Membership.objects.active_on(on).filter(office_id=office_id).order_by().values("user_id")
        )
    if status in ("active", "disabled"):
        rows = rows.filter(is_active=status == "active")
    return rows.prefetch_related(
        Prefetch(
            "memberships",
            Membership.objects.active_on(on).select_related("office").order_by("office__position", "id"),
            to_attr="current_memberships",
        )
    )


def get_person(pk: int, *, scope: Scope) -> User:
    found = people(scope).filter(pk=pk).first()
    if found is None:
        raise NotVisible()
    return found


@dataclass(frozen=True)
class HeldPower:
    """A power and the offices it was granted over, with the sentence a person reads."""

    power: Power
    name: str
    phrase: str
    offices: list[Office]

    @property
    def sentence(self) -> str:
        return f"{self.phrase}{_(':')}{_('、').join(str(o) for o in self.offices)}"


def powers_of(user: User) -> list[HeldPower]:
    """What a person may, as granted (an office stands for everything below it)."""
    held = defaultdict(list)
    rows = _grants_of(user).select_related("content_object", "permission")
    for row in sorted(rows, key=lambda r: (r.content_object.position, r.content_object_id)):
        held[row.permission.codename].append(row.content_object)
    return [
        HeldPower(power=power, name=POWER_NAMES[power], phrase=str(POWER_PHRASES[power]), offices=held[power])
        for power in Power
        if power in held
    ]


def powers_of_many(user_ids: list[int]) -> dict[int, list[str]]:
    """user id → sentences, in two queries."""
    held = defaultdict(lambda: defaultdict(list))
    rows = OfficeUserObjectPermission.objects.filter(user_id__in=user_ids).select_related(
        "content_object", "permission"
    )
    for row in rows.order_by("content_object__position", "content_object_id"):
        held[row.user_id][row.permission.codename].append(row.content_object.name)
    return {
        user_id: [f"{POWER_PHRASES[power]}{_(':')}{_('、').join(powers[power])}" for power in Power if power in powers]
        for user_id, powers in held.items()
    }


def memberships_of(user: User) -> list[Membership]:
    """Everything somebody was and is, the present first."""
    rows = Membership.objects.filter(user=user).select_related("office").order_by("-valid_from", "-id")
    return sorted(rows, key=lambda m: m.valid_to is not None)


def get_membership(pk: int, *, scope: Scope) -> Membership:
    found = Membership.objects.select_related("user", "office").filter(pk=pk, office_id__in=scope.administer).first()
    if found is None:
        raise NotVisible()
    return found


def last_ones_out(user: User, *, on: date) -> list[Office]:
    """Offices in which nobody else is left if this person goes."""
    mine = [m.office for m in Membership.objects.active_on(on).filter(user=user).select_related("office")]
    if not mine:
        return []
    peopled = set(
        Membership.objects.active_on(on)
        .filter(office__in=mine, user__is_active=True)
        .exclude(user=user)
        .order_by()
        .values_list("office_id", flat=True)
    )
    return [office for office in mine if office.pk not in peopled]


# ------------------------------------------------------------------ offices


@dataclass
class OfficeRow:
    """An office in the tree, with who is there."""

    office: Office
    depth: int
    heads: int = 0
    clerks: int = 0
    retired: bool = False
    children: list["OfficeRow"] = field(default_factory=list)

    @property
    def indent(self) -> str:
        return "　" * self.depth

    @property
    def people(self) -> int:
        return self.heads + self.clerks

    @property
    def phantom(self) -> bool:
        """Nobody works here: what it has to do has nobody who could do it. (An office that only holds others may.)"""
        return not self.retired and not self.people and not any(not c.retired for c in self.children)

    @property
    def headless(self) -> bool:
        return not self.retired and bool(self.clerks) and not self.heads


def administered_offices(scope: Scope, *, on: date | None = None, retired: bool = False) -> QuerySet[Office]:
    rows = Office.objects.filter(pk__in=scope.administer)
    return rows if retired else rows.active_on(on or timezone.localdate())


def get_office(pk: int, *, scope: Scope) -> Office:
    found = Office.objects.select_related("parent").filter(pk=pk, pk__in=scope.administer).first()
    if found is None:
        raise NotVisible()
    return found


def office_tree(scope: Scope, *, on: date | None = None) -> list[OfficeRow]:
    """The administered part of the tree, top down; retired offices after the living ones."""
    on = on or timezone.localdate()
    rows = {
        office.pk: OfficeRow(
            office=office,
            depth=0,
            retired=(office.valid_to is not None and office.valid_to < on) or office.valid_from > on,
        )
        for office in Office.objects.filter(pk__in=scope.administer).select_related("parent")
    }
    active = Membership.objects.active_on(on).filter(office_id__in=rows, user__is_active=True)
    for office_id, role in active.values_list("office_id", "role").order_by():
        if role == Membership.Role.HEAD:
            rows[office_id].heads += 1
        else:
            rows[office_id].clerks += 1
    roots = []
    for row in rows.values():
        above = rows.get(row.office.parent_id)
        (above.children if above else roots).append(row)
    flat: list[OfficeRow] = []

    def walk(level: list[OfficeRow], depth: int) -> None:
        for row in sorted(level, key=lambda r: (r.retired, r.office.position, r.office.pk)):
            row.depth = depth
            flat.append(row)
            walk(row.children, depth + 1)

    walk(roots, 0)
    return flat


def people_of_office(office: Office, *, on: date | None = None) -> list[Membership]:
    """Who works there today, heads first."""
    rows = Membership.objects.active_on(on or timezone.localdate()).filter(office=office).select_related("user")
    return sorted(rows, key=lambda m: (m.role != Membership.Role.HEAD, m.user.name))


def holders_over(office: Office) -> list[tuple[Power, User, Office]]:
    """Who holds a power here: power, person, and the office it was granted over (this one or one above)."""
    chain = {}
    cursor: Office | None = office
    while cursor is not None:
        chain[cursor.pk] = cursor
        cursor = cursor.parent
    rows = (
        OfficeUserObjectPermission.objects.filter(content_object_id__in=chain, user__is_active=True)
        .select_related("user", "permission")
        .order_by("user__name", "id")
    )
    order = list(Power)
    found = [(Power(r.permission.codename), r.user, chain[r.content_object_id]) for r in rows]
    return sorted(found, key=lambda item: order.index(item[0]))
