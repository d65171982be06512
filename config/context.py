"""What every page's frame shows: who, where to, how many unread, how many late."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.grants import Scope, scope_of
from accounts.models import Office
from notifications.queries import bell


@dataclass(frozen=True)
class Place:
    """An item of the main navigation, for those whom `allowed` lets in."""

    label: str
    icon: str
    name: str
    allowed: Callable[[Scope], bool]
    # pages that belong here although their address lies elsewhere
    also: tuple[str, ...] = ()


PLACES = (
    Place(
        gettext_lazy("我的工作"),
        "house",
        "home",
        lambda scope: scope.has_business or not (scope.administer or scope.audit),
    ),
    Place(gettext_lazy("任务"), "list-check", "workflow:tasks", lambda scope: scope.has_business),
    Place(
        gettext_lazy("审核"),
        "clipboard-check",
        "workflow:review",
        lambda scope: bool(scope.review),
        ("workflow:task_review",),
    ),
    Place(
        gettext_lazy("督办台"),
        "megaphone",
        "workflow:coordination",
        lambda scope: bool(scope.coordinate | scope.sign),
    ),
    Place(
        gettext_lazy("得分与结果"),
        "bar-chart",
        "workflow:results",
        lambda scope: scope.has_business,
        ("workflow:scorecard", "workflow:scorecard_finding", "workflow:scorecard_sign", "workflow:sign"),
    ),
    Place(
        gettext_lazy("责任分解"),
        "diagram-3",
        "schemes:list",
        lambda scope: scope.has_business,
    ),
    Place(gettext_lazy("系统管理"), "gear", "accounts:index", lambda scope: bool(scope.administer)),
    Place(gettext_lazy("留痕"), "clock-history", "audit:list", lambda scope: bool(scope.audit)),
)


@lru_cache(maxsize=64)
def address(name: str) -> str | None:
    """The address of a name; None where there is no such page. Addresses do not change while the process lives."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return None


def navigation(scope: Scope, path: str, name: str) -> list[dict]:
    """The places this person may go to; present is the one that claims the page, or whose address starts `path`."""
    found = [
        {"label": place.label, "icon": place.icon, "url": url, "active": False, "claims": name in place.also}
        for place in PLACES
        if place.allowed(scope) and (url := address(place.name))
    ]
    inside = [
        item
        for item in found
        if item["claims"] or path == item["url"] or (item["url"] != "/" and path.startswith(item["url"]))
    ]
    if inside:
        max(inside, key=lambda item: (item["claims"], len(item["url"])))["active"] = True
    return found


def roles_in_words(scope: Scope) -> list[str]:
    """What this person is, in plain words."""
    return [
        word
        for word, held in (
            (_("处室负责人"), scope.head),
            (_("经办人"), scope.member - scope.head),
            (_("审核人"), scope.review),
            (_("统筹人员"), scope.coordinate),
            (_("分管领导"), scope.sign),
            (_("系统管理员"), scope.administer),
            (_("留痕查看"), scope.audit),
        )
        if held
    ]


def page(request):
    base = {"source_url": settings.SOURCE_URL, "version": settings.VERSION, "app_version": settings.VERSION}
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return base
    scope = scope_of(user)
    offices: list[str] = []
    if scope.member:
        rows = Office.objects.filter(pk__in=scope.member).order_by("position")
        offices = list(rows.values_list("name", flat=True)[:3])
    told = bell(user)
    return base | {
        "scope": scope,
        "live": True,
        "nav": navigation(scope, request.path, request.resolver_match.view_name if request.resolver_match else ""),
        "user_roles": roles_in_words(scope),
        "user_office": _("、").join(offices),
        "unread_count": told.unread,
        "last_notification_id": told.last_id,
        "late_count": told.late,
    }
