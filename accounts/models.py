"""People, offices and who belongs where."""

from datetime import date

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from guardian.models import UserObjectPermissionBase


class User(AbstractUser):
    """A person who logs in. People are deactivated, never deleted: their name stands in the records."""

    name = models.CharField(_("姓名"), max_length=60)
    # set with a one-time password: no other page opens before the person has chosen one of their own
    must_change_password = models.BooleanField(_("须修改密码"), default=False)

    class Meta:
        verbose_name = _("人员")
        verbose_name_plural = _("人员")

    def __str__(self) -> str:
        return self.name or self.username

    def get_full_name(self) -> str:
        return str(self)


class OfficeQuerySet(models.QuerySet):
    def active_on(self, day: date):
        return self.filter(valid_from__lte=day).filter(Q(valid_to=None) | Q(valid_to__gte=day))


class Office(models.Model):
    """An office (责任部门) in the tree of the organisation. Retired by date, never deleted."""

    name = models.CharField(_("名称"), max_length=120, unique=True)
    parent = models.ForeignKey(
        "self", verbose_name=_("上级"), null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    position = models.PositiveIntegerField(_("次序"), default=0)
    valid_from = models.DateField(_("设立日期"), default=date(2000, 1, 1))
    valid_to = models.DateField(_("撤销日期"), null=True, blank=True)

    objects = OfficeQuerySet.as_manager()

    class Meta:
        verbose_name = _("机构")
        verbose_name_plural = _("机构")
        ordering = ["position", "id"]
        default_permissions = ()
        permissions = [
            ("review_office", "审核与评分"),
            ("coordinate_office", "统筹与催办"),
            ("sign_office", "审定签批"),
            ("administer_office", "系统管理"),
            ("audit_office", "查看留痕"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")),
                name="office_ends_after_it_begins",
                violation_error_message=_("撤销日期不能早于设立日期"),
            ),
            models.CheckConstraint(condition=~Q(parent=F("id")), name="office_not_its_own_parent"),
        ]

    def __str__(self) -> str:
        return self.name


class OfficeUserObjectPermission(UserObjectPermissionBase):
    """guardian's grants on offices, as a real foreign key: indexed, and no orphans."""

    content_object = models.ForeignKey(Office, on_delete=models.CASCADE)


class MembershipQuerySet(models.QuerySet):
    def active_on(self, day: date):
        return self.filter(valid_from__lte=day).filter(Q(valid_to=None) | Q(valid_to__gte=day))


class Membership(models.Model):
    """Somebody works in an office, as clerk (经办人) or as its head (负责人), from a day to a day."""

    class Role(models.TextChoices):
        CLERK = "clerk", _("经办人")
        HEAD = "head", _("负责人")

    user = models.ForeignKey(User, verbose_name=_("人员"), on_delete=models.PROTECT, related_name="memberships")
    office = models.ForeignKey(Office, verbose_name=_("机构"), on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(_("身份"), max_length=10, choices=Role.choices, default=Role.CLERK)
    valid_from = models.DateField(_("起"), default=date(2000, 1, 1))
    valid_to = models.DateField(_("止"), null=True, blank=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name = _("任职")
        verbose_name_plural = _("任职")
        constraints = [
            models.UniqueConstraint(
                fields=["user", "office"],
                condition=Q(valid_to=None),
                name="one_open_membership_per_user_and_office",
                violation_error_message=_("此人已在该机构任职"),
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gte=F("valid_from")), name="membership_ends_after_it_begins"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.office} · {self.get_role_display()}"
