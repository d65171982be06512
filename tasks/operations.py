"""What an office does to its tasks, and what happens to them when somebody has decided.

Every write: check → change → audit → notify, in the caller's flow step and transaction. The decisions themselves
(confirm, review) are operations of assessments; the steps of the flow are in workflow.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.errors import BadInput, NotVisible, Refusal, Stale
from accounts.grants import Power, fresh_scope, holders, members, require
from audit.operations import record
from deadlines.calendar import seeded_calendar
from deadlines.ladder import first_check
from notifications.operations import Message, notify
from scoring.points import PointsError, format_points, parse_points
from tasks import files
from tasks.errors import AlreadyAccepted, WrongState
from tasks.models import Evidence, Submission, Task, TaskState

EDITABLE = (TaskState.ACCEPTED, TaskState.RETURNED)
MAX_TEXT = 20_000
MAX_FILES = 50


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


def _wrong_state(task: Task, action: str) -> WrongState:
    return WrongState(state=task.get_state_display(), action=action)


def _require_member(task: Task, actor: Actor) -> None:
    scope = fresh_scope(actor.user)
    if task.office_id not in scope.readable:
        raise NotVisible()
    require(task.office_id in scope.member)


def _check_revision(task: Task, revision: int | None) -> None:
    if revision is not None and revision != task.revision:
        raise Stale()


def _move(task: Task, *, to: str, at: datetime, **changes: Any) -> None:
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


def accept(*, task: Task, actor: Actor, at: datetime) -> bool:
    """签收. `task` must be locked. The same person clicking twice has one effect: False if it was done already."""
    _require_member(task, actor)
    if task.state == TaskState.ACCEPTED and task.accepted_by_id == actor.user_id:
        return False
    if task.state != TaskState.ISSUED:
        if task.accepted_by_id:
            raise AlreadyAccepted(
                name=task.accepted_by, at=timezone.localtime(task.accepted_at).strftime("%Y-%m-%d %H:%M")
            )
        raise _wrong_state(task, _("签收"))
    # The ladder goes on where it was: signing for a task does not make it any less due.
    next_check_at = task.next_check_at
    _move(task, to=TaskState.ACCEPTED, at=at, accepted_at=at, accepted_by=actor.user)
    if task.next_check_at != next_check_at:
        task.next_check_at = next_check_at
        task.save(update_fields=["next_check_at"])
    record(actor=actor, at=at, verb="task.accepted", subject=task, office_id=task.office_id)
    return True


def draft(*, task: Task, actor: Actor, at: datetime) -> Submission:
    """The office's open draft of a task, begun if there is none."""
    found = task.submissions.filter(submitted_at=None).first()
    if found is None:
        last = task.submissions.order_by("-number").first()
        found = Submission.objects.create(
            task=task, number=(last.number if last else 0) + 1, saved_at=at, saved_by=actor.user
        )
    return found


def _clean_values(task: Task, values: dict[str, str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Measured values as exact decimal strings; blank stays absent (missing is not zero)."""
    measures = {m["name"]: m for m in (task.clause.measures if task.clause else [])}
    cleaned, problems = {}, {}
    for name, raw in values.items():
        raw = (raw or "").strip()
        if not raw:
            continue
        if name not in measures:
            problems[f"value:{name}"] = [_("没有名为“{name}”的指标值。").format(name=name)]
            continue
        try:
            cleaned[name] = format_points(parse_points(raw))
        except PointsError as error:
            problems[f"value:{name}"] = [str(error)]
    return cleaned, problems


def save_draft(
    *, task_id: int, actor: Actor, at: datetime, text: str, values: dict[str, str], base: datetime | None
) -> Submission:
    """Keep what was typed so far. Values are kept as typed, sound or not: they are judged on submitting.

    `base` is the `saved_at` the page was loaded with: a colleague's newer draft is not overwritten (Stale).
    """
    with transaction.atomic():
        task = lock(task_id)
        _require_member(task, actor)
        if task.state not in EDITABLE:
            raise _wrong_state(task, _("保存草稿"))
        row = draft(task=task, actor=actor, at=at)
        if row.saved_by_id != actor.user_id and base is not None and row.saved_at > base:
            raise Stale()
        row.text, row.values = text[:MAX_TEXT], {k: str(v)[:60] for k, v in values.items() if str(v).strip()}
        row.saved_at, row.saved_by = at, actor.user
        row.save(update_fields=["text", "values", "saved_at", "saved_by"])
    return row


def add_evidence(*, task_id: int, actor: Actor, at: datetime, upload: UploadedFile, note: str = "") -> Evidence:
    """Check, store and attach a file to the open draft. The same file twice is one piece of evidence."""
    early = Task.objects.filter(pk=task_id).select_related("office").first()
    if early is None:
        raise NotVisible()
    _require_member(early, actor)  # before the bytes are read: strangers store nothing
    if early.state not in EDITABLE:
        raise _wrong_state(early, _("上传材料"))
    stored = files.store(upload)
    with transaction.atomic():
        task = lock(task_id)
        _require_member(task, actor)
        if task.state not in EDITABLE:
            raise _wrong_state(task, _("上传材料"))
        row = draft(task=task, actor=actor, at=at)
        if row.evidence.count() >= MAX_FILES:
            raise BadInput({"files": [_("每次报送最多 {n} 个文件。请合并后上传。").format(n=MAX_FILES)]})
        evidence, created = Evidence.objects.get_or_create(
            submission=row,
            blob=files.blob_of(stored, at=at),
            name=stored.name,
            defaults={"note": note[:200], "added_at": at, "added_by": actor.user},
        )
        if created:
            record(
                actor=actor,
                at=at,
                verb="task.evidence_added",
                subject=task,
                office_id=task.office_id,
                detail={"name": stored.name, "sha256": stored.sha256, "size": stored.size},
            )
    return evidence


def remove_evidence(*, evidence_id: int, actor: Actor, at: datetime) -> Task:
    """Take a file off the open draft (what was submitted stays for ever)."""
    with transaction.atomic():
        evidence = Evidence.objects.select_related("submission", "blob").filter(pk=evidence_id).first()
        if evidence is None:
            raise NotVisible()
        task = lock(evidence.submission.task_id)
        _require_member(task, actor)
        evidence.submission.refresh_from_db()
        if evidence.submission.submitted_at is not None or task.state not in EDITABLE:
            raise _wrong_state(task, _("移除材料"))
        record(
            actor=actor,
            at=at,
            verb="task.evidence_removed",
            subject=task,
            office_id=task.office_id,
            detail={"name": evidence.name, "sha256": evidence.blob.sha256},
        )
        evidence.delete()
    return task


def submit(
    *,
    task: Task,
    actor: Actor,
    at: datetime,
    revision: int | None,
    token: str,
    text: str,
    values: dict[str, str],
) -> Submission:
    """报送. `task` must be locked. Goes to the office's head for confirmation where the scheme asks for it.

    Raises BadInput (nothing written), Stale (somebody changed the task since the page was opened), WrongState.
    """
    _require_member(task, actor)
    if task.state not in EDITABLE:
        raise _wrong_state(task, _("报送"))
    _check_revision(task, revision)
    cleaned, problems = _clean_values(task, values)
    if not text.strip():
        problems["text"] = [_("请填写完成情况。没有开展的,请写明原因。")]
    elif len(text) > MAX_TEXT:
        problems["text"] = [_("完成情况最多 {n} 字,现有 {m} 字。").format(n=MAX_TEXT, m=len(text))]
    if problems:
        raise BadInput(problems)
    row = draft(task=task, actor=actor, at=at)
    row.text, row.values, row.token = text, cleaned, token
    row.saved_at = row.submitted_at = at
    row.saved_by = row.submitted_by = actor.user
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:  # the process is locked: only the token can be there already, on another submission
        raise Refusal(_("这份表单已经用于另一次报送,没有重复保存。请刷新页面后重新填写。")) from None

    heads = members(office_ids={task.office_id}, on=timezone.localdate(at), heads_only=True)[task.office_id]
    asks_head = bool(task.version.settings.get("head_confirmation", True))
    to_head = asks_head and heads and actor.user_id not in heads
    if asks_head and actor.user_id in heads:
        row.confirmed_at, row.confirmed_by = at, actor.user
        row.save(update_fields=["confirmed_at", "confirmed_by"])
    _move(
        task,
        to=TaskState.CONFIRMING if to_head else TaskState.REVIEWING,
        at=at,
        first_submitted_at=task.first_submitted_at or at,
    )
    record(
        actor=actor,
        at=at,
        verb="task.submitted",
        subject=task,
        office_id=task.office_id,
        detail={
            "number": row.number,
            "submission": row.pk,
            "late": task.is_late(at),
            "head": "asked" if to_head else ("self" if actor.user_id in heads else "none" if asks_head else "off"),
            "files": [e.blob.sha256 for e in row.evidence.select_related("blob")],
        },
    )
    if to_head:
        notify(
            messages=[
                Message(
                    key=f"confirm:{row.pk}",
                    kind="confirm",
                    title=f"请确认:{task.title}",
                    body=f"{actor.label}已报送,待您确认后送审。",
                    url=url_of(task),
                    recipients=frozenset(heads - {actor.user_id}),
                )
            ],
            at=at,
        )
    else:
        announce_review(task=task, submission=row, at=at)
        if asks_head and not heads:
            _tell_coordinators(
                task,
                key=f"nohead:{row.pk}",
                title=f"{task.office}没有负责人,报送件未经确认直接送审",
                at=at,
            )
    return row


def announce_review(*, task: Task, submission: Submission, at: datetime) -> None:
    """Tell the reviewers of the office that something waits for them; nobody there: the coordinators hear of it."""
    reviewers = holders(power=Power.REVIEW, office_ids={task.office_id})[task.office_id]
    own = members(office_ids={task.office_id}, on=timezone.localdate(at))[task.office_id]
    reviewers = reviewers - own
    if not reviewers:
        _tell_coordinators(task, key=f"noreviewer:{submission.pk}", title=f"无人可审核:{task.title}", at=at)
        return
    notify(
        messages=[
            Message(
                key=f"review:{submission.pk}",
                kind="review",
                title=f"请审核:{task.title}",
                body=f"{task.office}第{submission.number}次报送。",
                url=url_of(task),
                recipients=frozenset(reviewers),
            )
        ],
        at=at,
    )


def _tell_coordinators(task: Task, *, key: str, title: str, at: datetime) -> None:
    people = holders(power=Power.COORDINATE, office_ids={task.office_id})[task.office_id]
    notify(
        messages=[
            Message(key=key, kind="alert", level="amber", title=title, url=url_of(task), recipients=frozenset(people))
        ],
        at=at,
    )


# ------------------------------------------------------------------ after a decision (called by assessments)


def pass_to_review(*, task: Task, submission: Submission, actor: Actor, at: datetime) -> None:
    """The head confirmed: on to the reviewers."""
    if task.state != TaskState.CONFIRMING:
        raise _wrong_state(task, _("确认"))
    submission.confirmed_at, submission.confirmed_by = at, actor.user
    submission.save(update_fields=["confirmed_at", "confirmed_by"])
    _move(task, to=TaskState.REVIEWING, at=at)
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
        raise _wrong_state(task, _("退回"))
    _move(task, to=TaskState.RETURNED, at=at)
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
        raise _wrong_state(task, _("审核"))
    _move(task, to=TaskState.APPROVED, at=at, closed_at=at)
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


def points_text(points: Decimal | None) -> str:
    return "" if points is None else format_points(points)
