"""What people are told. The row is the truth; a push is only a hint that there is one."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Notification(models.Model):
    """One thing to tell, said once: `key` is unique, so that a repeated or doubled job says nothing twice."""

    class Level(models.TextChoices):
        INFO = "info", _("告知")
        AMBER = "amber", _("黄灯")
        RED = "red", _("红灯")

    key = models.CharField(max_length=120)
    kind = models.CharField(_("类别"), max_length=40)
    level = models.CharField(_("程度"), max_length=10, choices=Level.choices, default=Level.INFO)
    title = models.CharField(_("标题"), max_length=200)
    body = models.TextField(_("内容"), blank=True)
    url = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(_("时间"))

    class Meta:
        verbose_name = _("通知")
        default_permissions = ()
        # not unique=True: on PostgreSQL that adds a second index for LIKE
        constraints = [models.UniqueConstraint(fields=["key"], name="one_notification_per_key")]

    def __str__(self) -> str:
        return self.title


class DeliveryQuerySet(models.QuerySet):
    def unread(self):
        return self.filter(read_at=None)


class Delivery(models.Model):
    """A notification on its way to one person by one channel: the outbox, and for the in-app channel the inbox."""

    class Channel(models.TextChoices):
        IN_APP = "in_app", _("站内")

    # db_index=False: an index below begins with the column
    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )
    channel = models.CharField(max_length=10, choices=Channel.choices, default=Channel.IN_APP)
    sent_at = models.DateTimeField(_("送出时间"), null=True)
    read_at = models.DateTimeField(_("阅读时间"), null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("送达")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["notification", "recipient", "channel"], name="one_delivery_per_recipient")
        ]
        indexes = [
            models.Index(fields=["recipient", "id"], name="delivery_inbox"),
            models.Index(fields=["recipient"], condition=Q(read_at=None), name="delivery_unread"),
            models.Index(fields=["id"], condition=Q(sent_at=None), name="delivery_outbox"),
        ]
