"""What the administrators' pages share: who may open them, and the page with a form."""

from functools import wraps

from django.http import Http404
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from accounts.errors import BadInput, Refusal
from accounts.grants import scope_of


def for_administrators(view):
    """To everybody else these pages do not exist."""

    @wraps(view)
    @never_cache
    def guarded(request, *args, **kwargs):
        if not scope_of(request.user).administer:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


def form_page(request, form, act, *, title, crumbs, button, danger=False, hint="", facts=(), back="", warning=""):
    """Show a form, or hand what it holds to `act`, which makes the change and returns where to go.

    A refusal comes back with everything that was typed.
    """
    status = 200
    if request.method == "POST":
        if form.is_valid():
            try:
                return act(form.cleaned_data)
            except BadInput as refusal:
                for name, problems in refusal.problems.items():
                    for problem in problems:
                        form.add_error(name if name in form.fields else None, problem)
            except Refusal as refusal:
                if refusal.status == 404:
                    raise
                form.add_error(None, str(refusal))
                status = refusal.status
        if status == 200:
            status = 400
    context = {
        "form": form,
        "title": title,
        "crumbs": crumbs,
        "button": button,
        "danger": danger,
        "hint": hint,
        "facts": [fact for fact in facts if fact],
        "warning": warning,
        "back": back,
    }
    return render(request, "accounts/form.html", context, status=status)


def crumbs_to(*more: tuple[str, str]) -> list[dict]:
    first = {"label": _("系统管理"), "url": reverse("accounts:index")}
    return [first, *({"label": label, "url": url} for label, url in more)]


def people_crumbs(person=None, here: str = "") -> list[dict]:
    more = [(_("人员"), reverse("accounts:people"))]
    if person is not None:
        more.append((str(person), reverse("accounts:person", args=[person.pk])))
    return crumbs_to(*more, (here, "")) if here else crumbs_to(*more)


def office_asked(request) -> dict:
    asked = request.GET.get("office", "")
    return {"office": int(asked)} if asked.isdecimal() and len(asked) < 10 else {}
