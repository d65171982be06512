"""临时交办: one matter for one office, under a row of an issued notice."""

import hashlib
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.errors import BadInput
from accounts.grants import fresh_scope, members, require
from accounts.models import Office
from audit.operations import record
from deadlines.calendar import seeded_calendar
from deadlines.ladder import first_check
from notifications.operations import Message, notify
from schemes.models import Indicator, Responsibility, SchemeVersion
from tasks.issuing.rows import TITLE_LIMIT
from tasks.models import Task, TaskState


def assign_extra(
    *,
    version: SchemeVersion,
    indicator: Indicator,
    office: Office,
    title: str,
    due_at: datetime,
    actor: Actor,
    at: datetime,
    quote: str = "",
) -> Task:
    """临时交办: one task for one office under a row of an issued notice, due at an exact instant.

    The same matter, office and instant again (a double click) returns the task that exists. `quote`: the words of the
    order; default the title.
    """
    require(actor.is_system or office.pk in fresh_scope(actor.user).coordinate)
    title = " ".join(title.split())
    _check_extra(version=version, indicator=indicator, office=office, title=title, due_at=due_at, at=at)
    words = hashlib.sha256(f"{title}\n{due_at.timestamp()}".encode()).hexdigest()[:16]
    key = f"extra:v{version.pk}:{indicator.code}:{office.pk}:{words}"
    day = timezone.localdate(due_at)
    with transaction.atomic():
        # the version's row makes two clicks wait for each other
        locked = SchemeVersion.objects.select_for_update().get(pk=version.pk)
        if locked.status != SchemeVersion.Status.ISSUED:
            raise BadInput({"version": [_("方案还没有下达,请先下达方案再交办事项")]})
        if (existing := Task.objects.filter(key=key).first()) is not None:
            return existing
        task = Task.objects.create(
            key=key,
            version=locked,
            indicator=indicator,
            office=office,
            role=Responsibility.Role.RESPONSIBLE,
            title=title,
            quote=quote.strip() or title,
            period=f"{day:%Y-%m-%d}",
            starts_on=min(timezone.localdate(at), day),
            ends_on=day,
            due_date=day,
            due_at=due_at,
            assigned_extra=True,
            state=TaskState.ISSUED,
            issued_at=at,
            held_since=at,
            next_check_at=first_check(
                due_at=due_at, issued_at=at, calendar=seeded_calendar(), tz=timezone.get_default_timezone()
            ),
        )
        record(
            actor=actor,
            at=at,
            verb="task.assigned",
            subject=task,
            office_id=office.pk,
            detail={"title": title, "row": indicator.code, "due_at": due_at.isoformat()},
        )
        _tell(task, at=at)
    return task


def _tell(task: Task, *, at: datetime) -> None:
    people = members(office_ids={task.office_id}, on=timezone.localdate(at))[task.office_id]
    message = Message(
        key=f"assigned:{task.pk}",
        kind="task.assigned",
        title=f"临时交办:{task.title}",
        body=task.indicator.title,
        url=f"/work/tasks/{task.pk}/",
        recipients=frozenset(people),
    )
    notify(messages=[message], at=at)


def _check_extra(
    *, version: SchemeVersion, indicator: Indicator, office: Office, title: str, due_at: datetime, at: datetime
) -> None:
    problems: dict[str, list[str]] = {}
    if not title:
        problems["title"] = [_("请填写交办事项")]
    elif len(title) > TITLE_LIMIT:
        problems["title"] = [_("事项过长,最多{limit}字").format(limit=TITLE_LIMIT)]
    if timezone.is_naive(due_at):
        raise ValueError("due_at must be aware")
    if due_at <= at:
        problems["due_at"] = [_("截止时间须晚于现在")]
    if indicator.version_id != version.pk:
        problems["indicator"] = [_("所选指标不属于这一版方案")]
    if not Office.objects.active_on(timezone.localdate(at)).filter(pk=office.pk).exists():
        problems["office"] = [_("所选处室已撤销或尚未设立")]
    if problems:
        raise BadInput(problems)
