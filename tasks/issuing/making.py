"""Issuing a version: its tasks, made once, and each office told once."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.grants import fresh_scope, members, require
from audit.operations import record
from notifications.operations import Message, notify
from notifications.rows import insert_missing
from schemes.errors import AlreadyIssued
from schemes.models import Responsibility, SchemeVersion
from schemes.queries import load_document
from tasks.issuing.rows import COLUMNS, Rows, constants_of, office_ids_of
from tasks.models import Task
from tasks.planning import PlannedTask, plan


@dataclass(frozen=True)
class IssueResult:
    """How many tasks were made now, and how many there were already."""

    created: int
    existing: int


def issue(*, version: SchemeVersion, actor: Actor, at: datetime) -> IssueResult:
    """Make the tasks of a version and tell each office once. Repeated, or clicked twice, it makes nothing more.

    Needs the coordinating power over the unit and over every office that gets tasks. Only one version of a scheme and
    year can be in force.
    """
    with transaction.atomic():
        locked = SchemeVersion.objects.select_for_update().get(pk=version.pk)
        reach = None if actor.is_system else fresh_scope(actor.user).coordinate
        require(reach is None or locked.unit_id in reach)
        if locked.status == SchemeVersion.Status.ISSUED:
            return IssueResult(created=0, existing=_planned(locked).count())
        _require_only_one(locked)
        document = load_document(locked)
        offices = office_ids_of(locked)
        planned = plan(document)
        used = {offices[task.office] for task in planned}
        require(reach is None or used <= reach)
        created = _create(planned, version=locked, offices=offices, at=at)
        locked.status, locked.issued_at = SchemeVersion.Status.ISSUED, at
        locked.save(update_fields=["status", "issued_at"])
        counts = Counter(offices[task.office] for task in planned)
        record(
            actor=actor,
            at=at,
            verb="scheme.issued",
            subject=locked,
            office_id=locked.unit_id,
            detail={
                "title": locked.title,
                "offices": len(counts),
                "tasks": len(created),
                "digest": locked.digest,
                "keys": hashlib.sha256("\n".join(sorted(created)).encode()).hexdigest(),
            },
        )
        _tell(locked, counts=counts, at=at)
    version.status, version.issued_at = locked.status, locked.issued_at
    return IssueResult(created=len(created), existing=len(planned) - len(created))


def _planned(version: SchemeVersion):
    return Task.objects.filter(version=version, assigned_extra=False)


def _require_only_one(version: SchemeVersion) -> None:
    other = (
        SchemeVersion.objects.filter(scheme=version.scheme_id, year=version.year, status=SchemeVersion.Status.ISSUED)
        .exclude(pk=version.pk)
        .first()
    )
    if other is not None:
        raise AlreadyIssued(year=other.year, number=other.number)


def _create(
    planned: Sequence[PlannedTask], *, version: SchemeVersion, offices: Mapping[str, int], at: datetime
) -> list[str]:
    """Insert what is not there yet, the collecting tasks before those that are linked to them. Returns the new keys."""
    rows, constants = Rows(version, offices, at), constants_of(version, at)

    def insert(found: list[tuple]) -> list[str]:
        made = insert_missing(Task, columns=COLUMNS, rows=found, constants=constants, returning=("key",))
        return [key for (key,) in made]

    first = [rows.of(task, collected_by_id=None) for task in planned if task.collector is None]
    created = insert(first)
    linked = [task for task in planned if task.collector is not None]
    if linked:
        collecting = _planned(version).filter(role=Responsibility.Role.COLLECT).order_by()
        ids = dict(collecting.values_list("key", "id"))
        second = [rows.of(task, collected_by_id=ids.get(rows.key_of_collector(task))) for task in linked]
        created += insert(second)
    return created


def _tell(version: SchemeVersion, *, counts: Mapping[int, int], at: datetime) -> None:
    people = members(office_ids=set(counts), on=timezone.localdate(at))
    notify(
        messages=[
            Message(
                key=f"issued:v{version.pk}:{office_id}",
                kind="scheme.issued",
                title=f"已下达{count}项任务,请签收",
                body=version.title,
                url="/",
                recipients=frozenset(people[office_id]),
            )
            for office_id, count in counts.items()
        ],
        at=at,
    )
