"""报送 and 确认: what was typed comes back with every refusal."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.actors import actor_of
from accounts.errors import Refusal
from accounts.grants import scope_of
from accounts.models import User
from assessments.models import Review
from tasks import operations as task_operations
from tasks.forms import Typed, typed_of
from tasks.models import Submission, Task, TaskState
from tasks.queries import get_visible
from tasks.views import guarded
from workflow import operations as steps
from workflow.forms import decision_of
from workflow.views.tasks.page import refused, task_page


@guarded
@require_POST
def task_submit(request: HttpRequest, pk: int) -> HttpResponse:
    """报送. What was typed comes back with every refusal."""
    scope, actor, at = scope_of(request.user), actor_of(request), timezone.now()
    found = get_visible(pk, scope=scope)
    typed = typed_of(request.POST, found)
    sent = Submission.objects.filter(task=found, token=typed.token, submitted_by=request.user).exists()
    try:
        if not sent:
            _refuse_newer_draft(found, typed, request.user)
            for upload in request.FILES.getlist("files"):
                task_operations.add_evidence(task_id=pk, actor=actor, at=at, upload=upload)
        steps.submit(
            task_id=pk,
            actor=actor,
            at=at,
            revision=typed.revision,
            token=typed.token,
            text=typed.text,
            values=typed.values,
        )
    except Refusal as refusal:
        return refused(task_page, request, found, scope, at, refusal, typed=typed)
    found = get_visible(pk, scope=scope)
    where = _("待处室负责人确认") if found.state == TaskState.CONFIRMING else _("待审核")
    messages.success(request, _("已报送,{where}。").format(where=where))
    return redirect("workflow:task", pk)


class NewerDraft(Refusal):
    default = gettext_lazy(
        "{name}在您打开页面之后保存了新的草稿,报送没有完成。下面是您填写的内容;请与对方核对后再报送,报送时以您这里的内容为准。"
    )


def _refuse_newer_draft(task: Task, typed: Typed, user: User) -> None:
    """A colleague's draft that this page has never shown is not silently replaced."""
    draft = task.submissions.filter(submitted_at=None).select_related("saved_by").first()
    if draft and typed.base and draft.saved_by_id != user.pk and draft.saved_at > typed.base:
        raise NewerDraft(name=draft.saved_by)


@require_POST
def task_confirm(request: HttpRequest, pk: int) -> HttpResponse:
    """负责人确认, or back to the clerk with a reason."""
    scope, at = scope_of(request.user), timezone.now()
    found = get_visible(pk, scope=scope)
    decision = decision_of(request.POST)
    try:
        steps.confirm(
            task_id=pk,
            actor=actor_of(request),
            at=at,
            revision=decision.revision,
            outcome=decision.outcome,
            reason=decision.reason,
        )
    except Refusal as refusal:
        return refused(task_page, request, found, scope, at, refusal, decision=decision)
    if decision.outcome == Review.Outcome.APPROVED:
        messages.success(request, _("已确认并送审:{title}").format(title=found.title))
    else:
        messages.success(request, _("已退回经办人修改:{title}").format(title=found.title))
    return redirect("home")
