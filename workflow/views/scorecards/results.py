"""得分与结果: the unit by section, and the offices in their order."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import actor_of
from accounts.errors import NotVisible
from accounts.grants import scope_of
from assessments.models import Scorecard
from assessments.queries import to_sign, versions_for
from workflow import operations as workflow
from workflow.score_presenters.unit import read_unit
from workflow.views.scorecards.parts import link, number


@require_safe
def results(request: HttpRequest) -> HttpResponse:
    """得分与结果: the unit by section, and the offices in their order."""
    scope = scope_of(request.user)
    if not scope.has_business:
        raise NotVisible()
    versions = versions_for(scope)
    year = number(request.GET.get("year"))
    chosen = [version for version in versions if year in (None, version.year)]
    if year is not None and not chosen:
        raise NotVisible()
    version = chosen[0] if chosen else None
    context: dict[str, Any] = {
        "scheme": version,
        "years": [
            {"year": y, "url": link("workflow:results", year=y), "chosen": version is not None and y == version.year}
            for y in sorted({v.year for v in versions}, reverse=True)
        ],
    }
    if version is None:
        return render(request, "workflow/results.html", context)
    unit = read_unit(version, scope)
    context |= {
        "unit": unit,
        "waiting": len(to_sign(scope)) if scope.sign else 0,
        "may_open": bool(scope.review | scope.coordinate),
        "sign_url": link("workflow:sign") if scope.sign else "",
        "print_url": link("reports:scores_print_unit", version.pk) if unit.whole else "",
        "xlsx_url": link("reports:scores_xlsx_unit", version.pk) if unit.whole else "",
    }
    return render(request, "workflow/results.html", context)


@require_POST
def open_scorecards(request: HttpRequest, version_id: int) -> HttpResponse:
    """建立得分表: one for each office that answers for points."""
    scope = scope_of(request.user)
    if not scope.has_business:
        raise NotVisible()
    version = next((known for known in versions_for(scope) if known.pk == version_id), None)
    if version is None:
        raise NotVisible()
    before = Scorecard.objects.filter(version=version).count()
    cards = workflow.open_scorecards(version=version, actor=actor_of(request), at=timezone.now())
    made = len(cards) - before
    if made:
        messages.success(request, _("已建立 {n} 份得分表,可以开始评分。").format(n=made))
    else:
        messages.info(request, _("各处室的得分表都已建立,没有新增。"))
    return redirect(link("workflow:results", year=version.year))
