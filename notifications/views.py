"""The bell's list, and what an open page asks after a poke."""

from django.http import HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from notifications import queries
from notifications.operations import mark_read

LARGEST_ID = 2**63 - 1


def _id(text: str | None) -> int | None:
    """A row's id from an address or a form; None for anything else."""
    if not text or not text.isascii() or not text.isdecimal() or len(text) > 19:
        return None
    return min(int(text), LARGEST_ID)


@require_safe
def index(request):
    """Unread ones first; `?show=all` lists every one that was told."""
    unread = request.GET.get("show") != "all"
    page = queries.page(request.user, unread=unread, before=_id(request.GET.get("before")))
    return render(
        request,
        "notifications/list.html",
        {
            "page": page,
            "only_unread": unread,
            "newest_shown": page.rows[0].pk if page.rows else 0,
            "continued": _id(request.GET.get("before")) is not None,
        },
    )


@require_safe
@never_cache
def since(request):
    """What is new after an id, and the two counters of the frame."""
    rows = queries.since(request.user, after=_id(request.GET.get("after")) or 0)
    return JsonResponse(
        {
            "unread": queries.unread_count(request.user),
            "late": queries.late_count(request.user),
            "items": [
                {
                    "id": row.pk,
                    "title": row.notification.title,
                    "body": row.notification.body,
                    "url": row.notification.url,
                    "level": row.notification.level,
                    "at": timezone.localtime(row.notification.at).isoformat(timespec="seconds"),
                }
                for row in rows
            ],
        }
    )


@require_POST
def read(request):
    """Take the named ones (`id`, repeated) or all up to one (`up_to`) as read, and go on to `next`."""
    ids = [pk for text in request.POST.getlist("id")[:200] if (pk := _id(text)) is not None]
    up_to = _id(request.POST.get("up_to"))
    if ids:
        mark_read(user=request.user, at=timezone.now(), ids=ids)
    elif up_to is not None:
        mark_read(user=request.user, at=timezone.now(), up_to_id=up_to)
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse({"unread": queries.unread_count(request.user), "late": queries.late_count(request.user)})
    onward = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(onward, {request.get_host()}, require_https=request.is_secure()):
        onward = reverse("notifications:list")
    return HttpResponseRedirect(onward)
