"""Each step of the flows as one call: lock the process, check where it stands, do the domain operation, move on.

Only this module touches activations. viewflow does not enforce its transition permissions in code, and an owner keeps
executing after a grant is revoked: the domain operations check who may, each time.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from viewflow.workflow.status import STATUS

from accounts.actors import Actor
from accounts.errors import NotVisible, Refusal
from assessments import operations as assessments
from assessments.models import Review, Scorecard, SignOff
from schemes.models import SchemeVersion
from tasks import operations as tasks
from tasks.models import Submission, Task
from workflow.flows import ScorecardFlow, TaskFlow
from workflow.models import WorkProcess, WorkStep


@contextmanager
def _step(process: WorkProcess, *nodes: str, actor: Actor) -> Iterator[WorkProcess]:
    """Hold the process's lock, yield it if it stands at one of `nodes`, and complete that step afterwards.

    The caller puts the fresh, locked row on the process: the flow's conditions read it.
    """
    flow_class = process.flow_class
    with flow_class.lock(process.pk):
        step = (
            WorkStep.objects.filter(process_id=process.pk, status__in=[STATUS.NEW, STATUS.ASSIGNED])
            .select_related("process")
            .order_by("-pk")
            .first()
        )
        if step is None or step.flow_task is None or step.flow_task.name not in nodes:
            # the domain operation says it in words: the state on the row is what people see
            yield process
            raise Refusal(_("流程步骤与事项状态不一致,已停止办理,没有作任何改动。请联系管理员运行核验。"))
        step.process = process
        activation = step.flow_task.activation_class(step)
        activation.process = process
        if step.status == STATUS.NEW:
            activation.assign(actor.user)
        activation.start(None)
        yield process
        activation.execute()


def _process_of_task(task_id: int) -> WorkProcess | None:
    return WorkProcess.objects.filter(subject_task_id=task_id).first()


# ------------------------------------------------------------------ tasks


def accept(*, task_id: int, actor: Actor, at: datetime) -> Task:
    """签收: the process of this task starts here, not when it was issued (docs/decisions/0002)."""
    with transaction.atomic():
        task = tasks.lock(task_id)
        if tasks.accept(task=task, actor=actor, at=at):
            TaskFlow.accept.run(task=task)
    return task


@dataclass
class BatchResult:
    """What a batch did: ids done, and id → why not."""

    done: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


def accept_many(*, task_ids: Iterable[int], actor: Actor, at: datetime) -> BatchResult:
    """签收 several, each in its own transaction: one refusal does not hold up the others."""
    result = BatchResult()
    for task_id in list(task_ids)[:200]:
        try:
            accept(task_id=task_id, actor=actor, at=at)
            result.done.append(task_id)
        except Refusal as refusal:
            result.refused[task_id] = str(refusal)
    return result


def submit(
    *,
    task_id: int,
    actor: Actor,
    at: datetime,
    revision: int | None,
    token: str,
    text: str,
    values: dict[str, str],
) -> Submission:
    """报送. The same form sent twice (same `token`) is one submission, and both callers get it."""
    process = _process_of_task(task_id)
    if process is None:
        with transaction.atomic():  # never signed for: let the domain say so
            task = tasks.lock(task_id)
            return tasks.submit(task=task, actor=actor, at=at, revision=revision, token=token, text=text, values=values)
    with TaskFlow.lock(process.pk):
        sent = Submission.objects.filter(token=token, task_id=task_id, submitted_by=actor.user).first()
        if sent is not None:
            return sent
        with _step(process, "submit", actor=actor):
            process.subject_task = task = tasks.lock(task_id)
            submission = tasks.submit(
                task=task, actor=actor, at=at, revision=revision, token=token, text=text, values=values
            )
    return submission


def confirm(
    *, task_id: int, actor: Actor, at: datetime, revision: int | None, outcome: str, reason: str = ""
) -> Review:
    """负责人确认 or 退回."""
    with _task_step(task_id, "confirm", actor) as task:
        return assessments.confirm(task=task, actor=actor, at=at, revision=revision, outcome=outcome, reason=reason)


def review(
    *,
    task_id: int,
    actor: Actor,
    at: datetime,
    revision: int | None,
    outcome: str,
    reason: str = "",
    marks: Iterable[dict[str, str]] = (),
) -> Review:
    """审核: 通过, or 退回 with a reason and what exactly to mend."""
    with _task_step(task_id, "review", actor) as task:
        return assessments.review(
            task=task, actor=actor, at=at, revision=revision, outcome=outcome, reason=reason, marks=list(marks)
        )


@contextmanager
def _task_step(task_id: int, node: str, actor: Actor) -> Iterator[Task]:
    process = _process_of_task(task_id)
    if process is None:
        with transaction.atomic():
            yield tasks.lock(task_id)
        return
    with _step(process, node, actor=actor):
        process.subject_task = tasks.lock(task_id)
        yield process.subject_task


# ------------------------------------------------------------------ scorecards


def open_scorecards(*, version: SchemeVersion, actor: Actor, at: datetime) -> list[Scorecard]:
    """One scorecard and one process per responsible office of the year; those that exist stay as they are."""
    with transaction.atomic():
        cards = assessments.open_scorecards(version=version, actor=actor, at=at)
        running = set(WorkProcess.objects.filter(scorecard__in=cards).values_list("scorecard_id", flat=True))
        for card in cards:
            if card.pk not in running:
                ScorecardFlow.open.run(scorecard=card)
    return cards


@contextmanager
def _card_step(scorecard_id: int, node: str, actor: Actor) -> Iterator[Scorecard]:
    process = WorkProcess.objects.filter(scorecard_id=scorecard_id).first()
    if process is None:
        raise NotVisible()
    with _step(process, node, actor=actor):
        process.scorecard = Scorecard.objects.select_for_update().get(pk=scorecard_id)
        yield process.scorecard


def finish_scorecard(*, scorecard_id: int, actor: Actor, at: datetime, revision: int | None) -> Scorecard:
    """完成评分: on to the leader."""
    with _card_step(scorecard_id, "score", actor) as card:
        assessments.finish(scorecard=card, actor=actor, at=at, revision=revision)
    return card


def send_back_scorecard(
    *, scorecard_id: int, actor: Actor, at: datetime, revision: int | None, reason: str
) -> Scorecard:
    """The leader sends the scorecard back for scoring."""
    with _card_step(scorecard_id, "sign", actor) as card:
        assessments.send_back(scorecard=card, actor=actor, at=at, revision=revision, reason=reason)
    return card


def sign_scorecard(
    *,
    scorecard_id: int,
    actor: Actor,
    at: datetime,
    revision: int | None,
    digest: str,
    password_ok: bool,
    opinion: str = "",
) -> SignOff:
    """签批: the signature covers exactly what was shown (`digest`)."""
    with _card_step(scorecard_id, "sign", actor) as card:
        return assessments.sign_off(
            scorecard=card,
            actor=actor,
            at=at,
            revision=revision,
            digest=digest,
            password_ok=password_ok,
            opinion=opinion,
        )


def reopen_scorecard(*, scorecard_id: int, actor: Actor, at: datetime, reason: str) -> Scorecard:
    """Withdraw the signature with a reason: the scorecard is scored again."""
    with _card_step(scorecard_id, "standing", actor) as card:
        assessments.reopen(scorecard=card, actor=actor, at=at, reason=reason)
    return card
