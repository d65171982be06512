"""The late list of the coordination page as a workbook."""

from django.http import FileResponse, HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.errors import NotVisible
from accounts.grants import scope_of
from reports.late import late_workbook
from reports.views.breakdown import workbook_response
from tasks.overview import LateFilter, late_rows


@require_safe
def late_xlsx(request: HttpRequest) -> FileResponse:
    """The same filters as the page: `?office=&days=&role=`."""
    scope, at = scope_of(request.user), timezone.now()
    office_ids = scope.coordinate | scope.sign
    if not office_ids:
        raise NotVisible()
    rows = late_rows(office_ids, at=at, chosen=LateFilter.read(request.GET))
    name = _("逾期清单-{day}.xlsx").format(day=f"{timezone.localdate(at):%Y%m%d}")
    return workbook_response(late_workbook(rows, at=at), name)
