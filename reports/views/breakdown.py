"""The breakdown on paper and as a workbook."""

import io

from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.errors import NotVisible
from accounts.grants import scope_of
from reports.breakdown import breakdown_context, breakdown_workbook
from reports.xlsx import CONTENT_TYPE
from schemes.models import SchemeVersion
from schemes.reading import document_of


def _version(request: HttpRequest, version_id: int) -> SchemeVersion:
    """Anybody with business of their own may read a breakdown; administrators and auditors may not."""
    if not scope_of(request.user).has_business:
        raise NotVisible()
    version = SchemeVersion.objects.select_related("scheme").filter(pk=version_id).first()
    if version is None:
        raise NotVisible()
    return version


@require_safe
def breakdown_print(request: HttpRequest, version_id: int) -> HttpResponse:
    version = _version(request, version_id)
    draft = "" if version.status == SchemeVersion.Status.ISSUED else _("未下达")
    return render(
        request,
        "print/breakdown.html",
        breakdown_context(document_of(version))
        | {
            "edition": version,
            "draft": draft,
            "digest": version.digest[:16],
            "printed_at": timezone.now(),
            "printed_by": str(request.user),
            "back_url": reverse("schemes:version", args=[version.scheme.key, version.year, version.number]),
        },
    )


@require_safe
def breakdown_xlsx(request: HttpRequest, version_id: int) -> FileResponse:
    version = _version(request, version_id)
    name = _("责任分解表-{year}年度第{number}版.xlsx").format(year=version.year, number=version.number)
    return workbook_response(breakdown_workbook(document_of(version)), name)


def workbook_response(content: bytes, name: str) -> FileResponse:
    return FileResponse(io.BytesIO(content), as_attachment=True, filename=name, content_type=CONTENT_TYPE)
