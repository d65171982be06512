"""viewflow's process and step rows, in tables of our own with real foreign keys to what they move."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from viewflow.workflow.models import AbstractProcess, AbstractTask

from assessments.models import Scorecard
from tasks.models import Task


class WorkProcess(AbstractProcess):
    """One task, or one scorecard, on its way. Started when somebody signs for the task, not when it is issued."""

    subject_task = models.OneToOneField(Task, null=True, on_delete=models.PROTECT, related_name="process")
    scorecard = models.OneToOneField(Scorecard, null=True, on_delete=models.PROTECT, related_name="process")
    data = models.JSONField(default=dict, blank=True)

    # AbstractProcess and AbstractTask leave these to the concrete model although the engine touches them
    parent_task = parent_task_id = None
    seed = seed_object_id = artifact = artifact_object_id = None

    class Meta:
        verbose_name = _("流程")
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(subject_task__isnull=False, scorecard=None) | Q(subject_task=None, scorecard__isnull=False),
                name="a_process_moves_one_thing",
            )
        ]


class WorkStep(AbstractTask):
    """One step of a process (viewflow calls it a task; that word is taken here)."""

    process = models.ForeignKey(
        WorkProcess, on_delete=models.PROTECT, related_name="task_set", related_query_name="task"
    )
    data = models.JSONField(default=dict, blank=True)

    seed = seed_object_id = artifact = artifact_object_id = None

    class Meta:
        verbose_name = _("流程步骤")
        default_permissions = ()
        indexes = [models.Index(fields=["process", "status"], name="step_by_process")]
