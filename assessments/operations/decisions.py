"""Deciding on a submission: first the office's head (确认), then a reviewer from outside the office (审核)."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.errors import BadInput, NotAllowed, NotVisible, Stale
from accounts.grants import Scope, fresh_scope
from assessments.errors import AlreadyDecided, NoPower, OwnOffice, OwnSubmission
from assessments.models import Review
from assessments.operations.common import MAX_NOTE, clean_reason, day_of, written
from tasks import operations as tasks
from tasks.errors import WrongState
from tasks.models import Submission, Task, TaskState

MAX_MARKS = 60
MAX_MARK = 300


def confirm(*, task: Task, actor: Actor, at: datetime, revision: int | None, outcome: str, reason: str = "") -> Review:
    """负责人确认. `task` must be locked. Approved: on to the reviewers; returned: back to the clerk, with a reason."""
    action = _("确认")
    with transaction.atomic():
        scope = _visible(task, actor, at)
        if task.office_id not in scope.head:
            raise NotAllowed(_("只有{office}的负责人才能确认报送。").format(office=task.office))
        submission = _waiting(task, state=TaskState.CONFIRMING, stage=Review.Stage.CONFIRM, action=action)
        if submission.submitted_by_id == actor.user_id:
            raise OwnSubmission(action=action, who=_("本处室的其他负责人"))
        row = _decide(submission, Review.Stage.CONFIRM, task, actor, at, revision, outcome, reason, [])
        if row.outcome == Review.Outcome.APPROVED:
            tasks.pass_to_review(task=task, submission=submission, actor=actor, at=at)
        else:
            tasks.return_to_office(
                task=task, submission=submission, actor=actor, at=at, reason=row.reason, declined=True
            )
    return row


def review(
    *,
    task: Task,
    actor: Actor,
    at: datetime,
    revision: int | None,
    outcome: str,
    reason: str = "",
    marks: Iterable[Mapping[str, str]] = (),
) -> Review:
    """审核. `task` must be locked. A return needs a reason; `marks` say what exactly has to be mended."""
    action = _("审核")
    with transaction.atomic():
        scope = _visible(task, actor, at)
        if task.office_id in scope.member:
            raise OwnOffice(office=task.office, action=action)
        if task.office_id not in scope.review:
            raise NoPower(office=task.office, power=_("审核与评分"), action=action)
        submission = _waiting(task, state=TaskState.REVIEWING, stage=Review.Stage.REVIEW, action=action)
        if actor.user_id in (submission.submitted_by_id, submission.confirmed_by_id):
            raise OwnSubmission(action=action, who=_("其他审核人员"))
        row = _decide(submission, Review.Stage.REVIEW, task, actor, at, revision, outcome, reason, list(marks))
        if row.outcome == Review.Outcome.APPROVED:
            tasks.approve(task=task, submission=submission, actor=actor, at=at)
        else:
            tasks.return_to_office(
                task=task, submission=submission, actor=actor, at=at, reason=row.reason, declined=False
            )
    return row


def _visible(task: Task, actor: Actor, at: datetime) -> Scope:
    scope = fresh_scope(actor.user, on=day_of(at))
    if task.office_id not in scope.readable:
        raise NotVisible()
    return scope


def _waiting(task: Task, *, state: str, stage: str, action: str) -> Submission:
    """The submission that waits for this decision; otherwise who decided it, or where the task stands."""
    submission = task.submissions.exclude(submitted_at=None).order_by("-number").first()
    if task.state == state and submission is not None:
        return submission
    decided = submission and submission.reviews.filter(stage=stage).select_related("reviewer").first()
    if decided:
        raise _already(decided)
    raise WrongState(state=task.get_state_display(), action=action)


def _already(decided: Review) -> AlreadyDecided:
    return AlreadyDecided(
        name=decided.reviewer,
        at=written(decided.at),
        stage=decided.get_stage_display(),
        outcome=decided.get_outcome_display(),
    )


def _decide(
    submission: Submission,
    stage: str,
    task: Task,
    actor: Actor,
    at: datetime,
    revision: int | None,
    outcome: str,
    reason: str,
    marks: list[Mapping[str, str]],
) -> Review:
    if revision is not None and revision != task.revision:
        raise Stale()
    if outcome not in Review.Outcome.values:
        raise BadInput({"outcome": [_("请选择“通过”或“退回”。")]})
    returned = outcome == Review.Outcome.RETURNED
    required = _("退回必须说明理由,写明哪里不符合要求、怎样补正。") if returned else ""
    reason = clean_reason(reason, required=required, longest=MAX_NOTE)
    if marks and not returned:
        raise BadInput({"marks": [_("标注只在退回时使用;通过的请先取消标注。")]})
    cleaned = _clean_marks(submission, marks)
    try:
        with transaction.atomic():
            return Review.objects.create(
                submission=submission,
                stage=stage,
                outcome=outcome,
                reason=reason,
                marks=cleaned,
                reviewer=actor.user,
                at=at,
            )
    except IntegrityError:
        # only reachable when the task was not locked: the constraint decides who was first
        decided = submission.reviews.filter(stage=stage).select_related("reviewer").first()
        if decided is None:
            raise
        raise _already(decided) from None


def _clean_marks(submission: Submission, marks: list[Mapping[str, str]]) -> list[dict[str, str]]:
    """Marks point at something that was filed, and may say what is wrong with it (the reason always does)."""
    if not marks:
        return []
    clause = submission.task.clause
    targets = {"text"}
    targets |= {f"value:{name}" for name in submission.values}
    targets |= {f"value:{measure['name']}" for measure in (clause.measures if clause else [])}
    targets |= {f"evidence:{pk}" for pk in submission.evidence.values_list("pk", flat=True)}
    cleaned, problems = [], []
    for mark in marks[: MAX_MARKS + 1]:
        target, note = str(mark.get("target", "")), str(mark.get("note", "")).strip()
        if target not in targets:
            problems.append(_("标注“{target}”在这次报送中不存在。").format(target=target[:60]))
        elif len(note) > MAX_MARK:
            problems.append(_("每处标注最多{n}字。").format(n=MAX_MARK))
        elif {"target": target, "note": note} not in cleaned:
            cleaned.append({"target": target, "note": note})
    if len(marks) > MAX_MARKS:
        problems.append(_("标注最多{n}处。").format(n=MAX_MARKS))
    if problems:
        raise BadInput({"marks": list(dict.fromkeys(problems))})
    return cleaned
