"""The list of editions, and one edition as the notice's own table and as a matrix."""

from datetime import datetime
from functools import lru_cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from schemes.document import Document, shown
from schemes.layout import lay_out
from schemes.layout import matrix as matrix_of
from schemes.models import SchemeVersion
from schemes.reading import document_of, points_table
from schemes.views.parts import address, crumbs_to, elsewhere, find, may_coordinate, reader, tabs_of


@require_safe
def scheme_list(request: HttpRequest) -> HttpResponse:
    scope = reader(request)
    versions = list(
        SchemeVersion.objects.select_related("scheme", "unit", "rolled_from").order_by("-year", "-number", "-pk")
    )
    rows = [
        {
            "version": version,
            "points": shown(version.points),
            "url": address("version", version),
            "issue_url": elsewhere("workflow:issue", version.pk) if may_coordinate(scope, version) else None,
            "roll_url": address("roll", version) if may_coordinate(scope, version) else None,
        }
        for version in versions
    ]
    actions = []
    if scope.coordinate:
        actions.append({"label": _("导入方案"), "url": reverse("schemes:import"), "icon": "upload", "primary": True})
    return render(
        request, "schemes/list.html", {"rows": rows, "actions": actions, "may_import": bool(scope.coordinate)}
    )


@require_safe
def version(request: HttpRequest, key: str, year: int, number: int) -> HttpResponse:
    """The breakdown as the notice's own table."""
    scope = reader(request)
    found = find(key, year, number)
    document = document_of(found)
    coordinates = may_coordinate(scope, found)
    actions = [
        {"label": _("打印"), "url": elsewhere("reports:breakdown_print", found.pk), "icon": "printer"},
        {"label": _("导出 Excel"), "url": elsewhere("reports:breakdown_xlsx", found.pk), "icon": "file-earmark-excel"},
    ]
    if coordinates:
        actions.append({"label": _("结转到其他年度"), "url": address("roll", found), "icon": "arrow-repeat"})
        issued = found.status == SchemeVersion.Status.ISSUED
        actions.append(
            {
                "label": _("下达情况") if issued else _("预览并下达"),
                "url": elsewhere("workflow:issue", found.pk),
                "icon": "send",
                "primary": not issued,
            }
        )
    return render(
        request,
        "schemes/version.html",
        {
            "edition": found,
            "crumbs": crumbs_to(found),
            "tabs": tabs_of(found, "version"),
            "actions": [action for action in actions if action["url"]],
            "document": document,
            "sheet": lay_out(document),
            "cycle": document.cycle.sentence(),
            "table": _table_html(found.pk, found.digest, found.imported_at, get_language() or ""),
        },
    )


@lru_cache(maxsize=8)
def _table_html(pk: int, digest: str, imported_at: datetime, language: str) -> SafeString:
    """The drawn table: a quarter of a megabyte that is the same for everybody and never changes."""
    version = SchemeVersion(pk=pk, digest=digest, imported_at=imported_at)
    return render_to_string("schemes/_table.html", table_of(document_of(version)))


def table_of(document: Document) -> dict:
    """What templates/schemes/_table.html draws."""
    sheet = lay_out(document)
    kinds = {line.doubt.kind: line.kind_word for line in sheet.doubts}
    return {
        "sheet": sheet,
        "document": document,
        "all_columns": sheet.columns + 3,
        "bonus_columns": sheet.bonus.columns + 2 if sheet.bonus else 0,
        "doubt_kinds": sorted(kinds.items(), key=lambda item: item[1]),
        "points": points_table(document),
    }


@require_safe
def matrix(request: HttpRequest, key: str, year: int, number: int) -> HttpResponse:
    """Indicators × offices, and the points each office answers for."""
    reader(request)
    found = find(key, year, number)
    document = document_of(found)
    sheet = lay_out(document)
    offices, parts = matrix_of(sheet)
    points = points_table(document)
    return render(
        request,
        "schemes/matrix.html",
        {
            "edition": found,
            "crumbs": crumbs_to(found, last=_("指标与部门矩阵")),
            "tabs": tabs_of(found, "matrix"),
            "sheet": sheet,
            "offices": [(name, points.total_of[name]) for name in offices],
            "parts": parts,
            "points": points,
            "version_url": address("version", found),
        },
    )
