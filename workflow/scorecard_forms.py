"""The shape of what is typed about scorecards. What may be done, and whether it fits, is decided by the operations."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from assessments.models import Scorecard
from scoring.facts import InputSpec, required_inputs
from scoring.points import PointsError, parse_points
from scoring.rules import Rule
from tasks.models import Evidence, Task
from workflow.presenters.words import period_words
from workflow.score_presenters.words import short_label

JUDGED = "judged"
OWN_FIELDS = ("count", "value", "points")


class DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self, **kwargs):
        super().__init__(format="%Y-%m-%d", **kwargs)


class ExactField(forms.CharField):
    """A number exactly as it was typed: a Decimal, or None. Never by way of a float."""

    def __init__(self, **kwargs):
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(max_length=24, widget=widget, **kwargs)

    def clean(self, value: str) -> Decimal | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_points(text)
        except PointsError as error:
            raise forms.ValidationError(str(error)) from error


def field_for(spec: InputSpec, rule: Rule | None) -> forms.Field:
    """The form field that asks for one input of a rule."""
    label = short_label(spec, rule)
    if spec.type == "flag":
        return forms.TypedChoiceField(
            label=label,
            required=spec.required,
            choices=[("1", _("是")), ("0", _("否"))],
            coerce=lambda text: text == "1",
            empty_value=None,
            widget=forms.RadioSelect,
        )
    if spec.type == "level":
        return forms.ChoiceField(
            label=label,
            required=spec.required,
            choices=[("", _("请选择")), *((choice, choice) for choice in spec.choices)],
        )
    help_text = {
        "count": _("整数"),
        "points": _("评定的得分"),
        "amount": _("认定扣多少分;暂不能认定的可空着,此条记为待定"),
    }.get(spec.type, "")
    if spec.type == "points" and not spec.required:
        help_text = _("暂不能认定的可空着,此条记为待定")
    return ExactField(label=label, required=spec.required, help_text=help_text)


class FindingForm(forms.Form):
    """A fact of one rule (`rule` None: a judged score), with its basis. Its fields come from the rule's kind."""

    token = forms.CharField(max_length=40, widget=forms.HiddenInput)
    occurred_on = forms.DateField(label=gettext_lazy("发生日期"), widget=DateInput())
    source = forms.CharField(
        label=gettext_lazy("依据"),
        max_length=200,
        help_text=gettext_lazy("文件名称和文号、通报日期、检查记录等,签批人和被考核处室都会看到"),
    )
    note = forms.CharField(
        label=gettext_lazy("事实"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("发生了什么,一两句话"),
    )
    task = forms.ModelChoiceField(
        label=gettext_lazy("关联任务"), queryset=Task.objects.none(), required=False, empty_label=gettext_lazy("不关联")
    )
    evidence = forms.ModelChoiceField(
        label=gettext_lazy("佐证材料"),
        queryset=Evidence.objects.none(),
        required=False,
        empty_label=gettext_lazy("不关联"),
    )

    def __init__(
        self,
        *args,
        rule: Rule | None,
        tasks: Sequence[Task],
        evidence: Sequence[Evidence],
        preview: bool = False,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.specs: dict[str, InputSpec] = {}
        generated: dict[str, forms.Field] = {}
        for number, spec in enumerate(required_inputs(rule)):
            name = spec.name if spec.name in ("count", "value", "points", "level", "holds") else f"input_{number}"
            self.specs[name] = spec
            generated[name] = field_for(spec, rule)
        self.fields = generated | self.fields
        self.fields["task"].queryset = Task.objects.filter(pk__in=[task.pk for task in tasks])
        self.fields["task"].choices = [
            ("", _("不关联")),
            *((task.pk, f"{period_words(task.period)} {task.title}"[:80]) for task in tasks),
        ]
        self.fields["evidence"].queryset = Evidence.objects.filter(
            pk__in=[item.pk for item in evidence]
        ).select_related("submission__task")
        self.fields["evidence"].choices = [
            ("", _("不关联")),
            *((item.pk, f"{item.name}({period_words(item.submission.task.period)})"[:80]) for item in evidence),
        ]
        if not tasks:
            del self.fields["task"]
        if not evidence:
            del self.fields["evidence"]
        if preview:  # the points can be looked at before the basis is written down
            for field in self.fields.values():
                field.required = False

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The bound fields of the rule, with their units."""
        return [{"field": self[name], "unit": spec.unit or ""} for name, spec in self.specs.items()]

    def fact(self) -> dict[str, Any]:
        """What was typed, as the arguments of the operations."""
        found: dict[str, Any] = {"inputs": {}}
        for name, spec in self.specs.items():
            value = self.cleaned_data.get(name)
            if spec.name == "level":
                found["level"] = value or ""
            elif spec.name in (*OWN_FIELDS, "holds"):
                found[spec.name] = value
            elif value is not None:
                found["inputs"][spec.name] = value
        return found

    def basis(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {name: data.get(name) for name in ("occurred_on", "task", "evidence")} | {
            "source": data.get("source") or "",
            "note": data.get("note") or "",
        }

    def refuse(self, problems: Mapping[str, Sequence[str]]) -> None:
        """Put what an operation refused at the fields it is about."""
        places = {spec.name: name for name, spec in self.specs.items()}
        for name, messages in problems.items():
            field = places.get(name, name)
            for message in messages:
                self.add_error(field if field in self.fields else None, message)


class ReasonForm(forms.Form):
    reason = forms.CharField(label=gettext_lazy("理由"), max_length=200, widget=forms.Textarea(attrs={"rows": 2}))

    def __init__(self, *args, label: str = "", help_text: str = "", **kwargs):
        super().__init__(*args, **kwargs)
        if label:
            self.fields["reason"].label = label
        self.fields["reason"].help_text = help_text


class FullForm(forms.Form):
    token = forms.CharField(max_length=40, widget=forms.HiddenInput)
    source = forms.CharField(
        label=gettext_lazy("依据"),
        max_length=200,
        help_text=gettext_lazy("例如:2017年度资料审查,未发现扣分事项"),
    )


class SignForm(forms.Form):
    digest = forms.CharField(max_length=64, widget=forms.HiddenInput)
    revision = forms.IntegerField(widget=forms.HiddenInput)
    opinion = forms.CharField(label=gettext_lazy("意见"), max_length=200, required=False)
    password = forms.CharField(
        label=gettext_lazy("登录密码"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text=gettext_lazy("再输一次您的登录密码,确认是您本人签批"),
    )

    @classmethod
    def of(cls, card: Scorecard, digest: str) -> "SignForm":
        return cls(initial={"digest": digest, "revision": card.revision, "opinion": _("同意")})
