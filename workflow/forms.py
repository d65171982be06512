"""What is typed on the pages of a task: kept as typed, judged by the operations."""

from dataclasses import dataclass
from datetime import datetime

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from assessments.models import Review
from tasks.forms import measure_names, new_token, plain, whole_number
from tasks.models import Submission, Task

REASON_MAX = 2000


class ReportForm(forms.Form):
    """填报: text and measured values. Shown with what was typed, with the problems the operation found beside it."""

    use_required_attribute = False
    text = forms.CharField(
        label=gettext_lazy("完成情况"),
        help_text=gettext_lazy("写明做了什么、完成到什么程度、依据是什么。没有开展的,写明原因和打算。"),
        widget=forms.Textarea(attrs={"rows": 9, "maxlength": 20000}),
    )
    token = forms.CharField(widget=forms.HiddenInput)
    revision = forms.IntegerField(widget=forms.HiddenInput)
    base = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, task: Task, *, text: str, values: dict[str, str], base: datetime, problems=None):
        initial = {"text": text, "token": new_token(), "revision": task.revision, "base": base.isoformat()}
        names = measure_names(task)
        initial |= {f"v{i}": values.get(name, "") for i, name in enumerate(names)}
        super().__init__(initial=initial, auto_id="id_%s")
        for i, name in enumerate(names):
            self.fields[f"v{i}"] = forms.CharField(
                label=name,
                required=False,
                widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "maxlength": 60}),
            )
        self._errors = forms.utils.ErrorDict()
        self.cleaned_data = {}
        fields = {f"value:{name}": f"v{i}" for i, name in enumerate(names)} | {"text": "text"}
        for key, messages in (problems or {}).items():
            self.add_error(fields.get(key), [str(m) for m in messages])


@dataclass(frozen=True)
class Target:
    """Something a reviewer may mark: the text, a value, a file."""

    index: int
    target: str
    label: str
    marked: bool = False
    note: str = ""


def targets_of(task: Task, submission: Submission, post: QueryDict | None = None) -> list[Target]:
    wanted = [("text", _("完成情况"))]
    wanted += [(f"value:{name}", name) for name in measure_names(task)]
    wanted += [(f"evidence:{e.pk}", e.name) for e in submission.evidence.all()]
    return [
        Target(
            i,
            target,
            label,
            marked=bool(post and post.get(f"m{i}") == target),
            note=plain(post.get(f"n{i}", ""))[:200].strip() if post else "",
        )
        for i, (target, label) in enumerate(wanted)
    ]


@dataclass(frozen=True)
class Decision:
    """What was decided on a form: pass or return, and why."""

    outcome: str
    reason: str
    revision: int

    @property
    def known(self) -> bool:
        return self.outcome in Review.Outcome.values


def decision_of(post: QueryDict) -> Decision:
    revision = whole_number(post.get("revision"))
    return Decision(
        outcome=post.get("outcome", ""),
        reason=plain(post.get("reason", "")).strip()[:REASON_MAX],
        revision=-1 if revision is None else revision,
    )


def marks_of(targets: list[Target]) -> list[dict[str, str]]:
    """The marks for the operation: what is ticked, or has a note (a note alone is meant as a mark)."""
    return [{"target": t.target, "note": t.note} for t in targets if t.marked or t.note]


def carried(get: QueryDict, names: tuple[str, ...]) -> forms.Form:
    """Conditions of a list that have no field of their own: they stay when another one is chosen."""
    form = forms.Form(initial={name: get[name] for name in names if get.get(name)}, auto_id=False)
    for name in form.initial:
        form.fields[name] = forms.CharField(widget=forms.HiddenInput, required=False)
    return form
