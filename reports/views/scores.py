"""The score table on paper and as a workbook: one office's, and the unit's."""

from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.errors import NotVisible
from accounts.grants import Scope, scope_of
from assessments.queries import get_card
from reports.scores import card_workbook, papers_of, sheetful, unit_workbook
from reports.views.breakdown import workbook_response
from schemes.models import SchemeVersion
from workflow.score_presenters import UnitView, read_unit


@require_safe
def scores_print(request: HttpRequest, card_id: int) -> HttpResponse:
    paper = sheetful(get_card(card_id, scope=scope_of(request.user)))
    return render(
        request,
        "print/scores.html",
        {
            "paper": paper,
            "view": paper.view,
            "draft": paper.draft,
            "digest": paper.digest_words,
            "organisation": paper.card.version.issuer,
            "printed_at": timezone.now(),
            "printed_by": str(request.user),
            "back_url": reverse("workflow:scorecard", args=[paper.card.pk]),
        },
    )


@require_safe
def scores_xlsx(request: HttpRequest, card_id: int) -> FileResponse:
    paper = sheetful(get_card(card_id, scope=scope_of(request.user)))
    return workbook_response(card_workbook(paper), file_name(paper.title, draft=paper.draft))


def file_name(title: str, *, draft: str) -> str:
    return f"{title}({draft}).xlsx" if draft else f"{title}.xlsx"


def _unit(request: HttpRequest, version_id: int) -> tuple[UnitView, Scope]:
    """The whole unit, for those who see all its offices."""
    scope = scope_of(request.user)
    version = SchemeVersion.objects.filter(pk=version_id).first() if scope.has_business else None
    if version is None:
        raise NotVisible()
    unit = read_unit(version, scope)
    if not unit.whole:
        raise NotVisible()
    return unit, scope


@require_safe
def scores_print_unit(request: HttpRequest, version_id: int) -> HttpResponse:
    unit, _scope = _unit(request, version_id)
    return render(
        request,
        "print/scores_unit.html",
        {
            "unit": unit,
            "draft": _("未签批") if unit.unsigned else "",
            "organisation": unit.version.issuer,
            "printed_at": timezone.now(),
            "printed_by": str(request.user),
            "back_url": f"{reverse('workflow:results')}?year={unit.version.year}",
            "seals": [
                {"role": _("考核责任部门"), "name": "", "date": ""},
                {"role": _("分管领导"), "name": "", "date": ""},
            ],
        },
    )


@require_safe
def scores_xlsx_unit(request: HttpRequest, version_id: int) -> FileResponse:
    unit, scope = _unit(request, version_id)
    title = _("{year}年度得分汇总").format(year=unit.version.year)
    name = file_name(title, draft=_("未签批") if unit.unsigned else "")
    return workbook_response(unit_workbook(unit, papers_of(unit, scope)), name)


urlpatterns = [
    path("scores/<int:card_id>/", scores_print, name="scores_print"),
    path("scores/<int:card_id>/xlsx/", scores_xlsx, name="scores_xlsx"),
    path("scores/unit/<int:version_id>/", scores_print_unit, name="scores_print_unit"),
    path("scores/unit/<int:version_id>/xlsx/", scores_xlsx_unit, name="scores_xlsx_unit"),
]
