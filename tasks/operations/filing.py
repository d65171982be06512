"""报送, and whom it is then with: the office's head, or the reviewers."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.errors import BadInput, Refusal
from accounts.grants import Power, holders, members
from audit.operations import record
from notifications.operations import Message, notify
from scoring.points import PointsError, format_points, parse_points
from tasks.models import EDITABLE, Submission, Task, TaskState
from tasks.operations.common import check_revision, move, require_member, url_of, wrong_state
from tasks.operations.drafting import MAX_TEXT, draft


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


def _checked(task: Task, *, text: str, values: dict[str, str]) -> dict[str, str]:
    """The values as they are kept, or BadInput with everything that is wrong."""
    cleaned, problems = _clean_values(task, values)
    if not text.strip():
        problems["text"] = [_("请填写完成情况。没有开展的,请写明原因。")]
    elif len(text) > MAX_TEXT:
        problems["text"] = [_("完成情况最多 {n} 字,现有 {m} 字。").format(n=MAX_TEXT, m=len(text))]
    if problems:
        raise BadInput(problems)
    return cleaned


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
    require_member(task, actor)
    if task.state not in EDITABLE:
        raise wrong_state(task, _("报送"))
    check_revision(task, revision)
    cleaned = _checked(task, text=text, values=values)
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
    move(
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
        _ask_head(task, row, heads=heads, actor=actor, at=at)
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


def _ask_head(task: Task, submission: Submission, *, heads: set[int], actor: Actor, at: datetime) -> None:
    notify(
        messages=[
            Message(
                key=f"confirm:{submission.pk}",
                kind="confirm",
                title=f"请确认:{task.title}",
                body=f"{actor.label}已报送,待您确认后送审。",
                url=url_of(task),
                recipients=frozenset(heads - {actor.user_id}),
            )
        ],
        at=at,
    )


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
