"""What an office has to do: tasks, what it filed, its evidence, and the warnings that were given."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.grants import Scope
from accounts.models import Office
from schemes.models import Clause, Deadline, Indicator, Responsibility, SchemeVersion


class TaskState(models.TextChoices):
    ISSUED = "issued", _("待签收")
    ACCEPTED = "accepted", _("办理中")
    CONFIRMING = "confirming", _("待负责人确认")
    REVIEWING = "reviewing", _("待审核")
    RETURNED = "returned", _("已退回")
    APPROVED = "approved", _("已通过")
    CANCELLED = "cancelled", _("已取消")


# waiting for the office to file: these can fall overdue
WITH_OFFICE = (TaskState.ISSUED, TaskState.ACCEPTED, TaskState.RETURNED)
# accepted, and the office's to write in
EDITABLE = (TaskState.ACCEPTED, TaskState.RETURNED)
OPEN = (*WITH_OFFICE, TaskState.CONFIRMING, TaskState.REVIEWING)

# long texts that no list shows
HEAVY = (
    "quote",
    "clause__text",
    "clause__parts",
    "clause__measures",
    "indicator__preamble",
)


class TaskQuerySet(models.QuerySet):
    def visible_to(self, scope: Scope):
        """Own office's, and those of offices granted for review, coordination or signing."""
        return self.filter(office_id__in=scope.readable)

    def with_office(self):
        return self.filter(state__in=WITH_OFFICE)

    def overdue_at(self, at: datetime):
        """Still with the office although the last instant on time has passed."""
        return self.with_office().filter(due_at__lt=at)

    def for_lists(self):
        """With what a list shows of the places a task comes from."""
        return self.select_related("office", "indicator", "clause").defer(*HEAVY)


class Task(models.Model):
    """One office, one clause (or row), one period: with its due instant and the points at stake.

    `due_at` is the last instant that is still on time. `key` makes issuing twice create nothing twice.
    `revision` grows with every change: a page that was opened earlier is refused, not obeyed.
    """

    key = models.CharField(max_length=120)
    # db_index=False: an index of Meta begins with the column; each index less is a tenth of the time of issuing
    version = models.ForeignKey(SchemeVersion, on_delete=models.PROTECT, related_name="tasks", db_index=False)
    indicator = models.ForeignKey(Indicator, on_delete=models.PROTECT, related_name="tasks")
    clause = models.ForeignKey(Clause, null=True, on_delete=models.PROTECT, related_name="tasks")
    deadline = models.ForeignKey(Deadline, null=True, on_delete=models.PROTECT, related_name="tasks", db_index=False)
    office = models.ForeignKey(
        Office, verbose_name=_("责任部门"), on_delete=models.PROTECT, related_name="tasks", db_index=False
    )
    role = models.CharField(_("角色"), max_length=12, choices=Responsibility.Role.choices)
    collected_by = models.ForeignKey(
        "self",
        verbose_name=_("汇总任务"),
        null=True,
        on_delete=models.PROTECT,
        related_name="provided",
    )
    title = models.CharField(_("事项"), max_length=300)
    quote = models.TextField(_("原文"))
    period = models.CharField(_("所属期"), max_length=10)
    starts_on = models.DateField(_("期起"))
    ends_on = models.DateField(_("期止"))
    due_date = models.DateField(_("截止日期"))
    due_at = models.DateTimeField(_("截止时间"))
    by_cycle = models.BooleanField(_("按方案申报周期"), default=False)
    assigned_extra = models.BooleanField(_("临时交办"), default=False)
    due_before_issue = models.BooleanField(_("下达时已过期"), default=False)
    points = models.DecimalField(_("涉及分值"), max_digits=12, decimal_places=6, null=True)
    state = models.CharField(_("状态"), max_length=12, choices=TaskState.choices, default=TaskState.ISSUED)
    revision = models.PositiveIntegerField(default=0)
    issued_at = models.DateTimeField(_("下达时间"))
    accepted_at = models.DateTimeField(_("签收时间"), null=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    first_submitted_at = models.DateTimeField(_("首次报送时间"), null=True)
    closed_at = models.DateTimeField(_("办结时间"), null=True)
    held_since = models.DateTimeField(_("当前环节开始时间"))
    # the next rung of the warning ladder; null when nothing more can fire
    next_check_at = models.DateTimeField(null=True)

    objects = TaskQuerySet.as_manager()

    class Meta:
        verbose_name = pgettext_lazy("one", "任务")
        verbose_name_plural = _("任务")
        default_permissions = ()
        indexes = [
            models.Index(fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="task_next_check"),
            models.Index(
                fields=["office", "due_at", "id"],
                condition=Q(state__in=["issued", "accepted", "returned"]),
                name="task_with_office",
            ),
            models.Index(
                fields=["due_at", "id"],
                condition=Q(state__in=["issued", "accepted", "returned"]),
                name="task_late_list",
            ),
            models.Index(
                fields=["state", "due_at", "id"],
                condition=Q(state__in=["confirming", "reviewing"]),
                name="task_to_decide",
            ),
            models.Index(fields=["office", "state", "due_at", "id"], name="task_of_office"),
            models.Index(fields=["version", "office", "indicator"], name="task_by_row"),
        ]
        constraints = [
            # not unique=True: on PostgreSQL that adds a second index for LIKE
            models.UniqueConstraint(fields=["key"], name="one_task_per_key"),
            models.CheckConstraint(
                condition=Q(state="issued", accepted_at=None) | Q(state="cancelled") | Q(accepted_at__isnull=False),
                name="task_past_issue_is_accepted",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["confirming", "reviewing", "approved"]) | Q(first_submitted_at__isnull=False),
                name="task_in_review_was_submitted",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["issued", "accepted", "returned"]) | Q(next_check_at=None),
                name="nothing_fires_after_submission",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def is_late(self, at: datetime) -> bool:
        """Was, or would be, filed after the last instant on time. Late stays late."""
        return (self.first_submitted_at or at) > self.due_at


class Submission(models.Model):
    """What the office filed, once per attempt. `submitted_at` null is the draft that colleagues work on."""

    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="submissions")
    number = models.PositiveIntegerField(_("次数"))
    text = models.TextField(_("完成情况"), blank=True)
    values = models.JSONField(_("完成值"), default=dict)
    saved_at = models.DateTimeField(_("保存时间"))
    saved_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    submitted_at = models.DateTimeField(_("报送时间"), null=True)
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    confirmed_at = models.DateTimeField(_("确认时间"), null=True)
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    # the form's token: the same form sent twice is one submission
    token = models.CharField(max_length=40, null=True, unique=True)

    class Meta:
        verbose_name = _("报送")
        default_permissions = ()
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["task", "number"], name="one_submission_per_number"),
            models.UniqueConstraint(fields=["task"], condition=Q(submitted_at=None), name="one_draft_per_task"),
            models.CheckConstraint(
                condition=Q(submitted_at=None, submitted_by=None)
                | Q(submitted_at__isnull=False, submitted_by__isnull=False),
                name="submission_has_time_and_person",
            ),
        ]


class Blob(models.Model):
    """A stored file, named by its content: never changed, shared by every evidence that has the same bytes."""

    sha256 = models.CharField(max_length=64, unique=True)
    size = models.PositiveBigIntegerField()
    content_type = models.CharField(max_length=100)
    stored_at = models.DateTimeField()

    class Meta:
        default_permissions = ()


class Evidence(models.Model):
    """A file (佐证材料) that supports a submission."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="evidence")
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="evidence")
    name = models.CharField(_("文件名"), max_length=255)
    note = models.CharField(_("说明"), max_length=200, blank=True)
    added_at = models.DateTimeField()
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("佐证材料")
        default_permissions = ()
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["submission", "blob", "name"], name="one_evidence_per_file_and_name")
        ]


class OverdueWarning(models.Model):
    """A rung of the ladder that was reached: exactly once per task, step and due instant."""

    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="warnings", db_index=False)
    step = models.CharField(max_length=20)
    due_at = models.DateTimeField()
    fired_at = models.DateTimeField()
    recipients = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("预警")
        default_permissions = ()
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["task", "step", "due_at"], name="one_warning_per_task_step_and_due")
        ]
