"""The auditors' pages: reading the trail, and verifying that nobody changed it."""

from functools import wraps
from itertools import islice

from django.http import Http404
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.grants import scope_of
from audit import queries
from audit.forms import FilterForm

BREAKS_SHOWN = 100


def for_auditors(view):
    """To everybody else these pages do not exist."""

    @wraps(view)
    @never_cache
    def guarded(request, *args, **kwargs):
        if not scope_of(request.user).audit:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 19 else None


@require_safe
@for_auditors
def trail(request):
    form = FilterForm(request.GET)
    asked = form.asked()
    page = queries.search(
        scope_of(request.user),
        asked,
        before=_number(request.GET.get("before")),
        after=_number(request.GET.get("after")),
    )
    for entry in page.entries:
        entry.sentence = queries.sentence(entry)
        entry.subject_name = queries.subject_name(entry)
    chips = []
    if asked.subject_type:
        rest = request.GET.copy()
        for name in ("subject_type", "subject_id", "before", "after"):
            rest.pop(name, None)
        name = queries.subject_name(queries.AuditEntry(subject_type=asked.subject_type, subject_id=asked.subject_id))
        chips = [{"label": _("对象:{name}").format(name=name), "url": f"{reverse('audit:list')}?{rest.urlencode()}"}]
    context = {
        "form": form,
        "page": page,
        "chips": chips,
        "filtered": any(vars(asked).values()) or "before" in request.GET,
        "length": queries.length(),
    }
    return render(request, "audit/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_auditors
def verify(request):
    """GET shows the button, POST reads the whole chain (a minute for a million entries)."""
    context = {"length": queries.length(), "done": False}
    if request.method == "POST":
        breaks = list(islice(queries.breaks(), BREAKS_SHOWN + 1))
        context |= {
            "done": True,
            "breaks": breaks[:BREAKS_SHOWN],
            "more": len(breaks) > BREAKS_SHOWN,
            "at": timezone.now(),
            "head": queries.AuditHead.objects.filter(pk=1).first(),
        }
    return render(request, "audit/verify.html", context)
