"""After a decision, called by the operations of assessments: on to the review, back to the office, done."""

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.grants import members
from audit.operations import record
from notifications.operations import Message, notify
from tasks.models import Evidence, Submission, Task, TaskState
from tasks.operations.common import move, url_of, wrong_state
from tasks.operations.filing import announce_review


def pass_to_review(*, task: Task, submission: Submission, actor: Actor, at: datetime) -> None:
    """The head confirmed: on to the reviewers."""
    if task.state != TaskState.CONFIRMING:
        raise wrong_state(task, _("确认"))
    submission.confirmed_at, submission.confirmed_by = at, actor.user
    submission.save(update_fields=["confirmed_at", "confirmed_by"])
    move(task, to=TaskState.REVIEWING, at=at)
    record(
        actor=actor,
        at=at,
        verb="task.confirmed",
        subject=task,
        office_id=task.office_id,
        detail={"submission": submission.pk},
    )
    announce_review(task=task, submission=submission, at=at)


def return_to_office(
    *, task: Task, submission: Submission, actor: Actor, at: datetime, reason: str, declined: bool
) -> Submission:
    """Back to the office, with a new draft that holds everything filed before: only what was marked need change.

    The due instant and the first submission's time stay: late stays late, on time stays on time.
    """
    expected = TaskState.CONFIRMING if declined else TaskState.REVIEWING
    if task.state != expected:
        raise wrong_state(task, _("退回"))
    move(task, to=TaskState.RETURNED, at=at)
    again = Submission.objects.create(
        task=task,
        number=submission.number + 1,
        text=submission.text,
        values=submission.values,
        saved_at=at,
        saved_by=submission.submitted_by,
    )
    Evidence.objects.bulk_create(
        Evidence(
            submission=again,
            blob_id=e.blob_id,
            name=e.name,
            note=e.note,
            added_at=e.added_at,
            added_by_id=e.added_by_id,
        )
        for e in submission.evidence.all()
    )
    record(
        actor=actor,
        at=at,
        verb="task.declined" if declined else "task.returned",
        subject=task,
        office_id=task.office_id,
        detail={"reason": reason, "submission": submission.pk},
    )
    people = members(office_ids={task.office_id}, on=timezone.localdate(at))[task.office_id]
    notify(
        messages=[
            Message(
                key=f"returned:{submission.pk}",
                kind="returned",
                level="amber",
                title=f"已退回:{task.title}",
                body=reason,
                url=url_of(task),
                recipients=frozenset((people | {submission.submitted_by_id}) - {actor.user_id}),
            )
        ],
        at=at,
    )
    return again


def approve(*, task: Task, submission: Submission, actor: Actor, at: datetime) -> None:
    """The reviewer accepted: the task is done."""
    if task.state != TaskState.REVIEWING:
        raise wrong_state(task, _("审核"))
    move(task, to=TaskState.APPROVED, at=at, closed_at=at)
    record(
        actor=actor,
        at=at,
        verb="task.approved",
        subject=task,
        office_id=task.office_id,
        detail={"submission": submission.pk},
    )
    people = members(office_ids={task.office_id}, on=timezone.localdate(at))[task.office_id]
    notify(
        messages=[
            Message(
                key=f"approved:{submission.pk}",
                kind="approved",
                title=f"已通过:{task.title}",
                url=url_of(task),
                recipients=frozenset(people - {actor.user_id}),
            )
        ],
        at=at,
    )
