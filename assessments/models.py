"""Judging what was filed: reviews, findings, scores, scorecards, signatures."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Office
from schemes.models import Clause, Indicator, SchemeVersion, ScoringRule
from tasks.models import Evidence, Submission, Task


class Review(models.Model):
    """A reviewer's decision on one submission (审核); or the office head's before it (确认)."""

    class Outcome(models.TextChoices):
        APPROVED = "approved", pgettext_lazy("done", "通过")
        RETURNED = "returned", pgettext_lazy("done", "退回")

    class Stage(models.TextChoices):
        CONFIRM = "confirm", _("负责人确认")
        REVIEW = "review", _("审核")

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="reviews")
    stage = models.CharField(max_length=10, choices=Stage.choices)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    reason = models.TextField(_("意见"), blank=True)
    # [{"target": "text" | "value:<name>" | "evidence:<id>", "note": "…"}]: what exactly has to be mended
    marks = models.JSONField(_("标注"), default=list)
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("审核")
        default_permissions = ()
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["submission", "stage"], name="one_decision_per_submission_and_stage"),
            models.CheckConstraint(
                condition=Q(outcome="approved") | ~Q(reason=""),
                name="a_return_has_a_reason",
                violation_error_message=_("退回必须说明理由"),
            ),
        ]


class Scorecard(models.Model):
    """An office's results of a year. Signed: frozen, until reopened with a reason."""

    class State(models.TextChoices):
        OPEN = "open", _("评分中")
        FINISHED = "finished", _("待签批")
        SIGNED = "signed", _("已签批")

    version = models.ForeignKey(SchemeVersion, on_delete=models.PROTECT, related_name="scorecards")
    office = models.ForeignKey(Office, on_delete=models.PROTECT, related_name="scorecards")
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    revision = models.PositiveIntegerField(default=0)
    max_points = models.DecimalField(_("分值"), max_digits=12, decimal_places=6)
    earned = models.DecimalField(_("得分"), max_digits=12, decimal_places=6, null=True)
    unresolved = models.PositiveIntegerField(_("待定项"), default=0)
    finished_at = models.DateTimeField(null=True)
    finished_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    held_since = models.DateTimeField()

    class Meta:
        verbose_name = _("得分表")
        default_permissions = ()
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["version", "office"], name="one_scorecard_per_office_and_version"),
            models.CheckConstraint(
                condition=Q(state="open") | Q(earned__isnull=False, unresolved=0),
                name="a_finished_scorecard_is_complete",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.office} {self.version.year}"


class Finding(models.Model):
    """A dated fact that costs or earns points, with its basis. Never edited: voided with a reason, recorded anew."""

    scorecard = models.ForeignKey(Scorecard, on_delete=models.PROTECT, related_name="findings")
    indicator = models.ForeignKey(Indicator, on_delete=models.PROTECT, related_name="findings")
    clause = models.ForeignKey(Clause, null=True, on_delete=models.PROTECT, related_name="findings")
    rule = models.ForeignKey(
        ScoringRule, verbose_name=_("规则"), null=True, on_delete=models.PROTECT, related_name="findings"
    )
    task = models.ForeignKey(Task, null=True, on_delete=models.PROTECT, related_name="findings")
    evidence = models.ForeignKey(Evidence, null=True, on_delete=models.PROTECT, related_name="findings")
    occurred_on = models.DateField(_("发生日期"))
    count = models.DecimalField(_("数量"), max_digits=18, decimal_places=6, null=True)
    value = models.DecimalField(_("数值"), max_digits=18, decimal_places=6, null=True)
    level = models.CharField(_("层级"), max_length=60, blank=True)
    inputs = models.JSONField(_("其他数值"), default=dict)
    holds = models.BooleanField(_("条件成立"), null=True)
    points = models.DecimalField(_("评定分"), max_digits=18, decimal_places=6, null=True)
    note = models.TextField(_("事实"), blank=True)
    source = models.CharField(_("依据"), max_length=200)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    token = models.CharField(max_length=40, unique=True)
    voided_at = models.DateTimeField(null=True)
    voided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    void_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = pgettext_lazy("one", "考核事实")
        default_permissions = ()
        ordering = ["id"]
        indexes = [models.Index(fields=["indicator", "scorecard"], name="finding_by_row")]
        constraints = [
            models.CheckConstraint(
                condition=Q(voided_at=None, voided_by=None)
                | Q(voided_at__isnull=False, voided_by__isnull=False) & ~Q(void_reason=""),
                name="a_voided_finding_has_a_person_and_a_reason",
            ),
            models.CheckConstraint(condition=~Q(source=""), name="a_finding_has_a_source"),
        ]


class ScoreEntry(models.Model):
    """The points of one clause (or, clause null, of a whole row) on a scorecard, with why.

    Beside clauses with figures the row may have an entry of its own, without points: see assessments.rows.
    """

    class State(models.TextChoices):
        SCORED = "scored", _("已计分")
        UNRESOLVED = "unresolved", _("待定")
        JUDGED_MISSING = "judged_missing", _("待评定")
        IN_ROW = "in_row", _("计入本项")

    scorecard = models.ForeignKey(Scorecard, on_delete=models.PROTECT, related_name="entries")
    indicator = models.ForeignKey(Indicator, on_delete=models.PROTECT, related_name="+")
    clause = models.ForeignKey(Clause, null=True, on_delete=models.PROTECT, related_name="+")
    # shared by offices the text does not divide the points among: shown on each card, counted once for the unit
    shared = models.BooleanField(default=False)
    max_points = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    earned = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    state = models.CharField(max_length=20, choices=State.choices)
    breakdown = models.JSONField(default=dict)
    rule_digest = models.CharField(max_length=64)
    engine_version = models.CharField(max_length=10)
    computed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("得分")
        default_permissions = ()
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["scorecard", "indicator"], condition=Q(clause=None), name="one_entry_per_row"
            ),
            models.UniqueConstraint(
                fields=["scorecard", "clause"], condition=Q(clause__isnull=False), name="one_entry_per_clause"
            ),
        ]


class SignOff(models.Model):
    """A leader's signature over exactly what was shown: the digest covers every figure of the scorecard."""

    scorecard = models.ForeignKey(Scorecard, on_delete=models.PROTECT, related_name="signatures")
    signer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    digest = models.CharField(max_length=64)
    earned = models.DecimalField(max_digits=12, decimal_places=6)
    opinion = models.CharField(_("意见"), max_length=200, blank=True)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    withdraw_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = _("签批")
        default_permissions = ()
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["scorecard"], condition=Q(withdrawn_at=None), name="one_standing_signature_per_scorecard"
            ),
            models.CheckConstraint(
                condition=Q(withdrawn_at=None, withdrawn_by=None)
                | Q(withdrawn_at__isnull=False, withdrawn_by__isnull=False) & ~Q(withdraw_reason=""),
                name="a_withdrawn_signature_has_a_person_and_a_reason",
            ),
        ]
