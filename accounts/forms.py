"""The shape of what is typed on the administration's pages. What may be done is decided by the operations."""

from datetime import date

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.grants import Power, Scope
from accounts.models import Membership, Office
from accounts.queries import POWER_NAMES, administered_offices, office_tree


class LoginForm(AuthenticationForm):
    error_messages = {
        "invalid_login": _("账号或密码不正确。请注意大小写;连续输错 5 次,账号将锁定 30 分钟。"),
        "inactive": _("账号或密码不正确。请注意大小写;连续输错 5 次,账号将锁定 30 分钟。"),
    }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("账号")
        self.fields["password"].label = _("密码")


class NewPasswordForm(PasswordChangeForm):
    """Another password than before: a one-time password that is typed again stays known to two people."""

    def clean_new_password1(self):
        password = self.cleaned_data["new_password1"]
        if self.user.check_password(password):
            raise forms.ValidationError(_("新密码与原密码相同,请换一个。"))
        return password


class DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self, **kwargs):
        super().__init__(format="%Y-%m-%d", **kwargs)


class DayField(forms.DateField):
    """A day of this or a neighbouring century: the edges of the calendar break arithmetic."""

    widget = DateInput

    def __init__(self, **kwargs):
        validators = [MinValueValidator(date(1949, 10, 1)), MaxValueValidator(date(2199, 12, 31))]
        super().__init__(validators=validators, **kwargs)


class OfficeChoice(forms.ModelChoiceField):
    """An office of the administrator's part of the tree, indented as in the tree."""

    def __init__(self, **kwargs):
        super().__init__(queryset=Office.objects.none(), **kwargs)
        self.depths: dict[int, int] = {}

    def offer(self, scope: Scope) -> None:
        rows = [row for row in office_tree(scope) if not row.retired]
        self.depths = {row.office.pk: row.depth for row in rows}
        self.queryset = administered_offices(scope)
        order = [row.office for row in rows]
        empty = [("", self.empty_label)] if self.empty_label is not None else []
        self.widget.choices = empty + [(office.pk, self.label_from_instance(office)) for office in order]

    def label_from_instance(self, office) -> str:
        return "　" * self.depths.get(office.pk, 0) + str(office)


class ScopedForm(forms.Form):
    """Offers only the offices that the person filling it in administers."""

    def __init__(self, *args, scope: Scope, **kwargs):
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, OfficeChoice):
                field.offer(scope)


class PersonForm(forms.Form):
    name = forms.CharField(label=_("姓名"), max_length=60)
    username = forms.CharField(
        label=_("账号"),
        max_length=150,
        help_text=_("登录时输入,可用字母、数字、汉字和 @ . + - _,不区分大小写地不得重复。"),
    )


class NewPersonForm(ScopedForm, PersonForm):
    office = OfficeChoice(
        label=_("任职机构"), required=False, empty_label=_("暂不任职"), help_text=_("系统管理员和审计员不任职,只授权。")
    )
    role = forms.ChoiceField(
        label=_("身份"), choices=Membership.Role.choices, initial=Membership.Role.CLERK, required=False
    )


class OfficeForm(ScopedForm):
    name = forms.CharField(label=_("名称"), max_length=120)
    parent = OfficeChoice(label=_("上级机构"), required=False, empty_label=_("(最上级)"))
    position = forms.IntegerField(
        label=_("次序"), min_value=0, max_value=9999, initial=0, help_text=_("同级机构按次序排列,小的在前。")
    )


class NewOfficeForm(OfficeForm):
    valid_from = DayField(label=_("设立日期"), initial=timezone.localdate)


class RetireForm(forms.Form):
    last_day = DayField(label=_("撤销日期"), initial=timezone.localdate, help_text=_("这一天仍有效,次日起撤销。"))


class MembershipForm(ScopedForm):
    office = OfficeChoice(label=_("任职机构"), empty_label=_("请选择"))
    role = forms.ChoiceField(label=_("身份"), choices=Membership.Role.choices, initial=Membership.Role.CLERK)
    valid_from = DayField(label=_("任职日期"), initial=timezone.localdate)


class EndMembershipForm(forms.Form):
    last_day = DayField(
        label=_("最后任职日"),
        initial=timezone.localdate,
        help_text=_("这一天仍可办理,次日起不再任职。要立即生效,请填昨天的日期。"),
    )


class PowerForm(ScopedForm):
    power = forms.ChoiceField(
        label=_("权限"),
        choices=[(power.value, POWER_NAMES[power]) for power in Power],
        widget=forms.RadioSelect,
        help_text=_("系统管理、查看留痕与业务办理(任职、审核、统筹、签批)不能由同一人承担。"),
    )
    office = OfficeChoice(label=_("机构"), empty_label=_("请选择"), help_text=_("包括它的全部下级机构。"))


class TakeForm(ScopedForm):
    power = forms.ChoiceField(choices=[(power.value, POWER_NAMES[power]) for power in Power], widget=forms.HiddenInput)
    office = OfficeChoice(widget=forms.HiddenInput)

    def __init__(self, *args, scope: Scope, **kwargs):
        super().__init__(*args, scope=scope, **kwargs)
        # a power over an office retired meanwhile must still be taken back
        self.fields["office"].queryset = administered_offices(scope, retired=True)


class SearchForm(ScopedForm):
    q = forms.CharField(
        label=_("姓名或账号"), required=False, max_length=60, widget=forms.TextInput(attrs={"type": "search"})
    )
    office = OfficeChoice(label=_("机构"), required=False, empty_label=_("全部机构"))
    status = forms.ChoiceField(
        label=_("状态"),
        required=False,
        choices=[("", _("全部")), ("active", _("在用")), ("disabled", _("已停用"))],
    )
