"""The two flows. Conditions read the state that the domain operation has just written, never a form."""

from viewflow import this
from viewflow.workflow import flow
from viewflow.workflow.lock import SelectForUpdateLock

from assessments.models import Scorecard
from tasks.models import TaskState
from workflow.models import WorkProcess, WorkStep

# viewflow's default takes no lock and lets a double click run a step twice; its own select_for_update_lock does not
# wait, sleeps and fails. On SQLite the IMMEDIATE transaction is the lock.
WAITING_LOCK = SelectForUpdateLock(nowait=False, attempts=1)


class TaskFlow(flow.Flow):
    """签收 → 报送 → (负责人确认) → 审核 → 办结; either decision may send it back to 报送."""

    process_class = WorkProcess
    task_class = WorkStep
    lock_impl = WAITING_LOCK
    process_title = "任务办理"

    accept = flow.StartHandle(this.bind).Annotation(title="签收").Next(this.submit)
    submit = flow.View(None).Annotation(title="报送").Next(this.needs_confirmation)
    needs_confirmation = (
        flow.If(lambda activation: activation.process.subject_task.state == TaskState.CONFIRMING)
        .Then(this.confirm)
        .Else(this.review)
    )
    confirm = flow.View(None).Annotation(title="负责人确认").Next(this.confirmed)
    confirmed = (
        flow.If(lambda activation: activation.process.subject_task.state == TaskState.REVIEWING)
        .Then(this.review)
        .Else(this.submit)
    )
    review = flow.View(None).Annotation(title="审核").Next(this.approved)
    approved = (
        flow.If(lambda activation: activation.process.subject_task.state == TaskState.APPROVED)
        .Then(this.end)
        .Else(this.submit)
    )
    end = flow.End()

    def bind(self, activation, task):
        activation.process.subject_task = task
        return activation


class ScorecardFlow(flow.Flow):
    """评分 → 签批 → 定稿; the leader may send it back, and may reopen what is signed."""

    process_class = WorkProcess
    task_class = WorkStep
    lock_impl = WAITING_LOCK
    process_title = "年度评分"

    open = flow.StartHandle(this.bind).Annotation(title="建立得分表").Next(this.score)
    score = flow.View(None).Annotation(title="评分").Next(this.sign)
    sign = flow.View(None).Annotation(title="签批").Next(this.signed)
    signed = (
        flow.If(lambda activation: activation.process.scorecard.state == Scorecard.State.SIGNED)
        .Then(this.standing)
        .Else(this.score)
    )
    # a signed scorecard waits here: reopening it is a step of the flow too, not an edit beside it
    standing = flow.View(None).Annotation(title="已签批").Next(this.score)

    def bind(self, activation, scorecard):
        activation.process.scorecard = scorecard
        return activation
