"""Carrying an edition over to another year: choose the year, see what changes, confirm."""

from collections.abc import Mapping
from datetime import date

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.errors import NotVisible, Refusal
from schemes import operations
from schemes.document import Document
from schemes.reading import document_of
from schemes.rolling import differences, rolled
from schemes.views.comparing import by_kind
from schemes.views.parts import address, coordinator, crumbs_to, find, may_coordinate

FIRST_YEAR = 2000
LAST_YEAR = 2100


class RollForm(forms.Form):
    year = forms.IntegerField(label=gettext_lazy("结转到年度"), min_value=FIRST_YEAR, max_value=LAST_YEAR)

    def __init__(self, *args, document: Document, **kwargs):
        super().__init__(*args, **kwargs)
        self.document = document
        self.names = dict(enumerate(document.offices))
        for index, name in self.names.items():
            self.fields[f"office_{index}"] = forms.CharField(
                label=name, required=False, max_length=120, widget=forms.TextInput(attrs={"placeholder": name})
            )

    def clean_year(self) -> int:
        year = self.cleaned_data["year"]
        if year == self.document.year:
            raise forms.ValidationError(_("这一版本来就是{year}年度的,请选择其他年度。").format(year=year))
        return year

    @property
    def renamed(self) -> Mapping[str, str]:
        given = {name: self.cleaned_data.get(f"office_{index}", "").strip() for index, name in self.names.items()}
        return {name: new for name, new in given.items() if new and new != name}

    @property
    def any_renamed(self) -> bool:
        return self.is_bound and any(self.data.get(f"office_{index}") for index in self.names)

    @property
    def office_fields(self) -> list:
        return [self[f"office_{index}"] for index in self.names]


@require_http_methods(["GET", "HEAD", "POST"])
def roll(request: HttpRequest, key: str, year: int, number: int) -> HttpResponse:
    """Choose the year, see what changes, confirm."""
    scope = coordinator(request)
    found = find(key, year, number)
    if not may_coordinate(scope, found):
        raise NotVisible()
    document = document_of(found)
    given = request.POST if request.method == "POST" else (request.GET or None)
    initial = {"year": max(date.today().year, found.year + 1)}
    form = RollForm(given, document=document, initial=initial)
    context = {
        "edition": found,
        "form": form,
        "crumbs": crumbs_to(found, last=_("结转到其他年度")),
        "refusal": None,
        "differences": None,
    }
    status = 200
    if form.is_bound and form.is_valid():
        if request.method == "POST":
            try:
                new = operations.roll(
                    version=found,
                    year=form.cleaned_data["year"],
                    offices=form.renamed,
                    actor=actor_of(request),
                    at=timezone.now(),
                )
            except Refusal as refusal:
                context["refusal"], status = refusal, refusal.status
            else:
                messages.success(
                    request,
                    _("已结转为{year}年度第{number}版,尚未下达。").format(year=new.year, number=new.number),
                )
                return redirect(address("version", new))
        new_document = rolled(document, year=form.cleaned_data["year"], offices=form.renamed)
        context |= by_kind(differences(document, new_document))
        context["target_year"] = form.cleaned_data["year"]
    elif form.is_bound:
        status = 400
    return render(request, "schemes/roll.html", context, status=status)
