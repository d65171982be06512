"""What an auditor may ask the trail."""

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.forms import DayField
from audit.queries import Filter, verb_choices


class FilterForm(forms.Form):
    person = forms.CharField(label=_("操作人"), required=False, max_length=60)
    verb = forms.ChoiceField(label=_("动作"), required=False, choices=lambda: [("", _("全部动作")), *verb_choices()])
    since = DayField(label=_("自"), required=False)
    until = DayField(label=_("至"), required=False)
    subject_type = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)
    subject_id = forms.IntegerField(required=False, min_value=0, max_value=2**63 - 1, widget=forms.HiddenInput)

    def asked(self) -> Filter:
        """What could be read of it; the rest is not asked."""
        if not hasattr(self, "cleaned_data"):
            self.is_valid()
        names = ("person", "verb", "since", "until", "subject_type", "subject_id")
        return Filter(**{name: self.cleaned_data[name] for name in names if name in self.cleaned_data})
