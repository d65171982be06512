"""What one edition says differently from another, in the order to look at."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.errors import NotVisible
from schemes.models import SchemeVersion
from schemes.reading import document_of
from schemes.rolling import differences
from schemes.views.parts import crumbs_to, number_in, reader, tabs_of

# kinds of differences in the order in which somebody has to look at them; what stands for the notice as a whole is one
WHOLE = "whole"
KIND_WORDS = {
    "mention": gettext_lazy("条文仍写着原来的年度"),
    "row": gettext_lazy("指标行"),
    "clause": gettext_lazy("条款"),
    "text": gettext_lazy("条文"),
    "points": gettext_lazy("分值"),
    "rules": gettext_lazy("计分规则"),
    "offices": gettext_lazy("责任部门"),
    "deadline": gettext_lazy("时限"),
    WHOLE: gettext_lazy("通知整体"),
    "due": gettext_lazy("截止日期"),
}


@require_safe
def compare(request: HttpRequest, key: str) -> HttpResponse:
    """What one edition says differently from another: `?old=<id>&new=<id>`."""
    reader(request)
    versions = list(
        SchemeVersion.objects.select_related("scheme", "unit").filter(scheme__key=key).order_by("-year", "-number")
    )
    if not versions:
        raise NotVisible()
    by_id = {entry.pk: entry for entry in versions}
    new = by_id.get(number_in(request.GET.get("new")), versions[0])
    earlier = [entry for entry in reversed(versions) if entry.pk != new.pk]
    before_it = [entry for entry in earlier if (entry.year, entry.number) < (new.year, new.number)]
    default = by_id.get(new.rolled_from_id) or (before_it[-1] if before_it else (earlier[0] if earlier else None))
    old = by_id.get(number_in(request.GET.get("old")), default)
    found = None
    if old is not None and old.pk != new.pk:
        found = differences(document_of(old), document_of(new))

    def options(chosen: SchemeVersion | None) -> list[dict]:
        return [
            {
                "value": entry.pk,
                "label": _("{year}年度第{number}版").format(year=entry.year, number=entry.number),
                "selected": chosen is not None and entry.pk == chosen.pk,
            }
            for entry in versions
        ]

    return render(
        request,
        "schemes/compare.html",
        {
            "edition": new,
            "old": old,
            "new": new,
            "crumbs": crumbs_to(new, last=_("版本差异")),
            "tabs": tabs_of(new, "compare"),
            "fields": [
                {"name": "old", "label": _("从"), "options": options(old)},
                {"name": "new", "label": _("到"), "options": options(new)},
            ],
            "alone": len(versions) == 1,
            **by_kind(found),
        },
    )


def by_kind(found) -> dict:
    """The differences by kind, those that a person has to look at first."""
    if found is None:
        return {"differences": None, "groups": []}
    kinds: dict[str, list] = {kind: [] for kind in KIND_WORDS}
    for item in found:
        kinds[item.kind if item.kind in kinds else WHOLE].append(
            {"difference": item, "anchor": f"r-{item.where.split('/')[0]}" if item.where else ""}
        )
    groups = [
        {"kind": kind, "word": str(KIND_WORDS[kind]), "entries": entries} for kind, entries in kinds.items() if entries
    ]
    return {"differences": found, "groups": groups}
