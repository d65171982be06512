"""What the pages of a notice share: who may look, which version, the way back."""

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from accounts.errors import NotVisible
from accounts.grants import Scope, scope_of
from schemes.models import SchemeVersion


def reader(request: HttpRequest) -> Scope:
    scope = scope_of(request.user)
    if not scope.has_business:
        raise NotVisible()
    return scope


def coordinator(request: HttpRequest) -> Scope:
    scope = scope_of(request.user)
    if not scope.coordinate:
        raise NotVisible()
    return scope


def find(key: str, year: int, number: int) -> SchemeVersion:
    found = (
        SchemeVersion.objects.select_related("scheme", "unit").filter(scheme__key=key, year=year, number=number).first()
    )
    if found is None:
        raise NotVisible(_("没有找到这一版责任分解。请从“责任分解”列表重新进入。"))
    return found


def may_coordinate(scope: Scope, version: SchemeVersion) -> bool:
    return version.unit_id in scope.coordinate if version.unit_id else bool(scope.coordinate)


def address(name: str, version: SchemeVersion) -> str:
    return reverse(f"schemes:{name}", args=[version.scheme.key, version.year, version.number])


def elsewhere(name: str, *args, **kwargs) -> str | None:
    """The address of a page of a room above, which this room does not import."""
    try:
        return reverse(name, args=args, kwargs=kwargs)
    except NoReverseMatch:
        return None


def crumbs_to(version: SchemeVersion | None = None, *, last: str = "") -> list[dict]:
    crumbs = [{"label": _("责任分解"), "url": reverse("schemes:list")}]
    if version is not None:
        label = _("{year}年度第{number}版").format(year=version.year, number=version.number)
        crumbs.append({"label": label, "url": address("version", version) if last else ""})
    if last:
        crumbs.append({"label": last})
    return crumbs


def tabs_of(version: SchemeVersion, active: str) -> list[dict]:
    """The pages of one version."""
    compare_url = reverse("schemes:compare", args=[version.scheme.key]) + f"?new={version.pk}"
    tabs = [
        ("version", _("责任分解表"), "table", address("version", version)),
        ("matrix", _("指标与部门矩阵"), "grid-3x3", address("matrix", version)),
        ("compare", _("版本差异"), "arrow-down-up", compare_url),
    ]
    return [{"label": label, "icon": icon, "url": url, "active": name == active} for name, label, icon, url in tabs]


def number_in(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
