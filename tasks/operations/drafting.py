"""The office's draft: signing for the task, text and values as they are typed, files."""

from datetime import datetime

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.errors import BadInput, NotVisible, Stale
from audit.operations import record
from tasks import files
from tasks.errors import AlreadyAccepted
from tasks.models import EDITABLE, Evidence, Submission, Task, TaskState
from tasks.operations.common import lock, move, require_member, wrong_state

MAX_TEXT = 20_000
MAX_FILES = 50


def accept(*, task: Task, actor: Actor, at: datetime) -> bool:
    """签收. `task` must be locked. The same person clicking twice has one effect: False if it was done already."""
    require_member(task, actor)
    if task.state == TaskState.ACCEPTED and task.accepted_by_id == actor.user_id:
        return False
    if task.state != TaskState.ISSUED:
        if task.accepted_by_id:
            raise AlreadyAccepted(
                name=task.accepted_by, at=timezone.localtime(task.accepted_at).strftime("%Y-%m-%d %H:%M")
            )
        raise wrong_state(task, _("签收"))
    # The ladder goes on where it was: signing for a task does not make it any less due.
    next_check_at = task.next_check_at
    move(task, to=TaskState.ACCEPTED, at=at, accepted_at=at, accepted_by=actor.user)
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


def save_draft(
    *, task_id: int, actor: Actor, at: datetime, text: str, values: dict[str, str], base: datetime | None
) -> Submission:
    """Keep what was typed so far. Values are kept as typed, sound or not: they are judged on submitting.

    `base` is the `saved_at` the page was loaded with: a colleague's newer draft is not overwritten (Stale).
    """
    with transaction.atomic():
        task = lock(task_id)
        require_member(task, actor)
        if task.state not in EDITABLE:
            raise wrong_state(task, _("保存草稿"))
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
    require_member(early, actor)  # before the bytes are read: strangers store nothing
    if early.state not in EDITABLE:
        raise wrong_state(early, _("上传材料"))
    stored = files.store(upload)
    with transaction.atomic():
        task = lock(task_id)
        require_member(task, actor)
        if task.state not in EDITABLE:
            raise wrong_state(task, _("上传材料"))
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
        require_member(task, actor)
        evidence.submission.refresh_from_db()
        if evidence.submission.submitted_at is not None or task.state not in EDITABLE:
            raise wrong_state(task, _("移除材料"))
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
