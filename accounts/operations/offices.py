"""The tree of offices."""

from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.errors import BadInput, Refusal
from accounts.models import Membership, Office
from accounts.operations.who import locked_office, require_office
from accounts.trail import record


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
        office = locked_office(office)
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
        office = locked_office(office)
        require_office(actor, office)
        if last_day < office.valid_from:
            raise BadInput({"last_day": [_("撤销日期不能早于设立日期 {day}。").format(day=office.valid_from)]})
        still = Membership.objects.filter(office=office).active_on(last_day + timedelta(days=1))
        names = [str(m.user) for m in still.select_related("user").order_by("id")[:5]]
        if names:
            raise Refusal(
                _("“{office}”在撤销日期之后还有人任职({names}),没有撤销。请先为他们办理离任或转到其他机构,再来撤销。"),
                office=office,
                names=_("、").join(names),
            )
        below = [o.name for o in office.children.active_on(last_day + timedelta(days=1))[:5]]
        if below:
            raise Refusal(
                _("“{office}”还有下级机构({names}),没有撤销。请先把它们划归其他机构或撤销。"),
                office=office,
                names=_("、").join(below),
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
