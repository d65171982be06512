"""What the operations on a task share: its lock, who may, the move from one state to another."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from accounts.actors import Actor
from accounts.errors import NotVisible, Stale
from accounts.grants import fresh_scope, require
from deadlines.calendar import seeded_calendar
from deadlines.ladder import first_check
from tasks.errors import WrongState
from tasks.models import Task, TaskState


def lock(task_id: int) -> Task:
    """The task's row, locked until the transaction ends."""
    task = (
        Task.objects.select_for_update(of=("self",))
        .select_related("office", "version", "indicator", "clause")
        .filter(pk=task_id)
        .first()
    )
    if task is None:
        raise NotVisible()
    return task


def url_of(task: Task) -> str:
    return f"/work/tasks/{task.pk}/"


def wrong_state(task: Task, action: str) -> WrongState:
    return WrongState(state=task.get_state_display(), action=action)


def require_member(task: Task, actor: Actor) -> None:
    scope = fresh_scope(actor.user)
    if task.office_id not in scope.readable:
        raise NotVisible()
    require(task.office_id in scope.member)


def check_revision(task: Task, revision: int | None) -> None:
    if revision is not None and revision != task.revision:
        raise Stale()


def move(task: Task, *, to: str, at: datetime, **changes: Any) -> None:
    """Write a new state. Rungs of the ladder fire only while the task is with the office."""
    task.state = to
    task.revision += 1
    task.held_since = at
    task.next_check_at = None
    if to in (TaskState.ACCEPTED, TaskState.RETURNED):
        task.next_check_at = first_check(
            due_at=task.due_at, issued_at=at, calendar=seeded_calendar(), tz=timezone.get_default_timezone()
        )
    for name, value in changes.items():
        setattr(task, name, value)
    task.save(update_fields=["state", "revision", "held_since", "next_check_at", *changes])
