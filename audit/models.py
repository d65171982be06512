"""The record of who did what, when and from where: appended, chained, never changed."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditEntry(models.Model):
    """One thing done. `hash` covers every other field and the previous entry's hash."""

    seq = models.BigIntegerField(_("序号"), unique=True)
    at = models.DateTimeField(_("时间"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("操作人"), null=True, on_delete=models.PROTECT, related_name="+"
    )
    actor_label = models.CharField(_("操作人姓名"), max_length=120)
    ip = models.CharField(_("来源地址"), max_length=45, blank=True)
    verb = models.CharField(_("动作"), max_length=60)
    subject_type = models.CharField(_("对象类别"), max_length=40)
    subject_id = models.BigIntegerField(_("对象编号"), null=True)
    office_id = models.BigIntegerField(_("机构"), null=True)
    detail = models.JSONField(_("内容"), default=dict)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("留痕")
        verbose_name_plural = _("操作留痕")
        ordering = ["-seq"]
        default_permissions = ()
        indexes = [
            models.Index(fields=["subject_type", "subject_id", "seq"], name="audit_by_subject"),
            models.Index(fields=["actor", "seq"], name="audit_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.verb}"


class AuditHead(models.Model):
    """The last entry's number and hash: the one row every append locks, so that the chain cannot fork."""

    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="0" * 64)

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_audit_head")]
