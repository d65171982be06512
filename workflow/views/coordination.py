"""督办台: who is late, the year by office and month, offices without a live person, and the extra matter."""

from datetime import datetime

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actors import actor_of
from accounts.errors import BadInput, NotVisible, Refusal
from accounts.grants import Scope, scope_of
from accounts.models import Office
from schemes.models import Indicator, Responsibility, SchemeVersion
from tasks import issuing, overview
from tasks.overview import LATE_STEPS, LateFilter
from tasks.queries import COUNT_CAP, capped_counts, shown
from workflow.coordination import (
    CappedPaginator,
    board_html,
    figures,
    filter_html,
    late_lines,
    overseen,
    tasks_of,
    years_issued,
)


def _overseer(request: HttpRequest) -> Scope:
    scope = scope_of(request.user)
    if not overseen(scope):
        raise NotVisible()
    return scope


def _address(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


# ------------------------------------------------------------------ the page


@require_safe
def coordination(request: HttpRequest) -> HttpResponse:
    scope, at = _overseer(request), timezone.now()
    office_ids, chosen = overseen(scope), LateFilter.read(request.GET)
    lists = overview.headline_rows(office_ids, at=at)
    rows = overview.late_rows(office_ids, at=at, chosen=chosen)
    counts = dict(zip(lists, capped_counts(*lists.values()), strict=True))
    late = counts["late"] if chosen.is_empty else capped_counts(rows)[0]
    page = CappedPaginator(rows, count=late).get_page(request.GET.get("page"))
    offices = list(Office.objects.filter(pk__in=office_ids).order_by("position", "id").values_list("pk", "name"))
    chips = _chips(request, chosen, dict(offices))
    export = _address("reports:late_xlsx")
    if export and request.GET:
        export += f"?{request.GET.urlencode()}"
    return render(
        request,
        "workflow/coordination.html",
        {
            "figures": figures({name: shown(n) for name, n in counts.items()}),
            "rows": late_lines(tasks_of(page), at=at),
            "page_obj": page,
            "late_words": shown(late),
            "beyond": late > COUNT_CAP,
            "cap": COUNT_CAP + 1,
            "filter": filter_html(
                fields=_fields(chosen, offices),
                chips=chips,
                reset_url="" if chosen.is_empty else reverse("workflow:coordination"),
                export_url=export if late else "",
            ),
            "chips": chips,
            "filtered": not chosen.is_empty,
            "may_assign": bool(scope.coordinate),
            "map_url": reverse("workflow:heatmap"),
        },
    )


def _fields(chosen: LateFilter, offices: list[tuple[int, str]]) -> list[dict]:
    def select(name: str, label: str, now: str, options: list[tuple[str, str]]) -> dict:
        listed = [{"value": "", "label": _("全部"), "selected": not now}]
        listed += [{"value": value, "label": words, "selected": value == now} for value, words in options]
        return {"name": name, "label": label, "options": listed}

    return [
        select("office", _("责任部门"), str(chosen.office_id or ""), [(str(pk), name) for pk, name in offices]),
        select(
            "days",
            _("逾期多久"),
            str(chosen.days or ""),
            [(str(days), _("{n} 个工作日及以上").format(n=days)) for days in LATE_STEPS],
        ),
        select(
            "role",
            _("角色"),
            chosen.role,
            [(value, str(words)) for value, words in Responsibility.Role.choices],
        ),
    ]


def _chips(request: HttpRequest, chosen: LateFilter, offices: dict[int, str]) -> list[dict]:
    def without(name: str) -> str:
        rest = request.GET.copy()
        rest.pop(name, None)
        rest.pop("page", None)
        return f"?{rest.urlencode()}"

    chips = []
    if chosen.office_id in offices:
        chips.append({"label": offices[chosen.office_id], "url": without("office")})
    if chosen.days:
        chips.append({"label": _("逾期 {n} 个工作日及以上").format(n=chosen.days), "url": without("days")})
    if chosen.role:
        chips.append({"label": str(Responsibility.Role(chosen.role).label), "url": without("role")})
    return chips


@require_safe
def heatmap(request: HttpRequest) -> HttpResponse:
    """The slower half of the page, asked for by itself; opened directly it is a page of its own."""
    scope, at = _overseer(request), timezone.now()
    years = years_issued() or [timezone.localdate(at).year]
    wanted = request.GET.get("year", "")
    year = int(wanted) if wanted.isdigit() and int(wanted) in years else _present(years, timezone.localdate(at).year)
    html = board_html(scope, year=year, years=years, at=at)
    if request.htmx:
        return HttpResponse(html)
    return render(request, "workflow/coordination_map_page.html", {"map": html})


def _present(years: list[int], now: int) -> int:
    return now if now in years else years[0]


# ------------------------------------------------------------------ 临时交办


class ExtraForm(forms.Form):
    office = forms.ModelChoiceField(label=gettext_lazy("责任部门"), queryset=Office.objects.none())
    indicator = forms.ModelChoiceField(
        label=gettext_lazy("归入指标"),
        queryset=Indicator.objects.none(),
        help_text=gettext_lazy("事项记在哪一行指标之下。“其他阶段性重点工作”一类的行最常用。"),
    )
    title = forms.CharField(label=gettext_lazy("交办事项"), max_length=300, widget=forms.Textarea(attrs={"rows": 2}))
    quote = forms.CharField(
        label=gettext_lazy("依据(原话或文号)"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("可以不填,不填时以事项本身为准。"),
    )
    due_at = forms.DateTimeField(
        label=gettext_lazy("截止时间"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
        help_text=gettext_lazy("精确到分钟;这一分钟之前报送都算按时。"),
    )

    def __init__(self, *args, scope: Scope, today, version: SchemeVersion | None, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["office"].queryset = (
            Office.objects.active_on(today).filter(pk__in=scope.coordinate).order_by("position", "id")
        )
        self.fields["office"].empty_label = _("(请选择)")
        rows = Indicator.objects.filter(version=version).order_by("section__position", "position")
        self.fields["indicator"].queryset = rows.defer("preamble")
        self.fields["indicator"].empty_label = _("(请选择)")


def _issued_versions(scope: Scope) -> list[SchemeVersion]:
    return list(
        SchemeVersion.objects.filter(status=SchemeVersion.Status.ISSUED, unit_id__in=scope.coordinate)
        .select_related("scheme")
        .order_by("-year", "-number", "-pk")[:20]
    )


@require_http_methods(["GET", "HEAD", "POST"])
def assign_extra(request: HttpRequest) -> HttpResponse:
    scope, at = scope_of(request.user), timezone.now()
    if not scope.coordinate:
        raise NotVisible()
    versions = _issued_versions(scope)
    wanted = request.POST.get("version") or request.GET.get("version") or ""
    version = next((entry for entry in versions if str(entry.pk) == wanted), versions[0] if versions else None)
    form = ExtraForm(
        request.POST if request.method == "POST" else None, scope=scope, today=timezone.localdate(at), version=version
    )
    status, refusal = 200, None
    if request.method == "POST" and version is not None and form.is_valid():
        try:
            task = issuing.assign_extra(
                version=version,
                indicator=form.cleaned_data["indicator"],
                office=form.cleaned_data["office"],
                title=form.cleaned_data["title"],
                quote=form.cleaned_data["quote"],
                due_at=_end_of_minute(form.cleaned_data["due_at"]),
                actor=actor_of(request),
                at=at,
            )
        except BadInput as problem:
            for name, words in problem.problems.items():
                for word in words:
                    form.add_error(name if name in form.fields else None, word)
            status = problem.status
        except Refusal as problem:
            refusal, status = problem, problem.status
        else:
            messages.success(
                request, _("已交办给{office},{at}截止。").format(office=task.office, at=_local(task.due_at))
            )
            return redirect("workflow:task", task.pk)
    elif form.is_bound:
        status = 400
    return render(
        request,
        "workflow/coordination_extra.html",
        {
            "form": form,
            "versions": versions,
            "edition": version,
            "refusal": refusal,
            "crumbs": [{"label": _("督办台"), "url": reverse("workflow:coordination")}, {"label": _("临时交办")}],
        },
        status=status,
    )


def _end_of_minute(due_at: datetime) -> datetime:
    """The minute that was typed is still on time."""
    return due_at.replace(second=59, microsecond=999_999)


def _local(at: datetime) -> str:
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M")


urlpatterns = [
    path("coordination/", coordination, name="coordination"),
    path("coordination/map/", heatmap, name="heatmap"),
    path("coordination/extra/", assign_extra, name="assign_extra"),
]
