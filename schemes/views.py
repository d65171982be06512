"""The notice on the screen: its own table, the matrix, what differs between editions, importing and rolling."""

import base64
import binascii
import zlib
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actors import actor_of
from accounts.errors import NotVisible, Refusal
from accounts.grants import Scope, scope_of
from schemes import operations, queries
from schemes.document import Document, shown
from schemes.importers import read_document
from schemes.importers.yaml_file import MAX_BYTES
from schemes.layout import lay_out
from schemes.layout import matrix as matrix_of
from schemes.models import SchemeVersion
from schemes.reading import document_of, points_table
from schemes.rolling import differences, rolled

FIRST_YEAR, LAST_YEAR = 2000, 2100
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


# ------------------------------------------------------------------ who, and which version


def _reader(request: HttpRequest) -> Scope:
    scope = scope_of(request.user)
    if not scope.has_business:
        raise NotVisible()
    return scope


def _coordinator(request: HttpRequest) -> Scope:
    scope = scope_of(request.user)
    if not scope.coordinate:
        raise NotVisible()
    return scope


def _find(key: str, year: int, number: int) -> SchemeVersion:
    found = (
        SchemeVersion.objects.select_related("scheme", "unit").filter(scheme__key=key, year=year, number=number).first()
    )
    if found is None:
        raise NotVisible(_("没有找到这一版责任分解。请从“责任分解”列表重新进入。"))
    return found


def _may_coordinate(scope: Scope, version: SchemeVersion) -> bool:
    return version.unit_id in scope.coordinate if version.unit_id else bool(scope.coordinate)


def _address(name: str, version: SchemeVersion) -> str:
    return reverse(f"schemes:{name}", args=[version.scheme.key, version.year, version.number])


def _elsewhere(name: str, *args, **kwargs) -> str | None:
    """The address of a page of a room above, which this room does not import."""
    try:
        return reverse(name, args=args, kwargs=kwargs)
    except NoReverseMatch:
        return None


def _crumbs(version: SchemeVersion | None = None, *, last: str = "") -> list[dict]:
    crumbs = [{"label": _("责任分解"), "url": reverse("schemes:list")}]
    if version is not None:
        label = _("{year}年度第{number}版").format(year=version.year, number=version.number)
        crumbs.append({"label": label, "url": _address("version", version) if last else ""})
    if last:
        crumbs.append({"label": last})
    return crumbs


def _tabs(version: SchemeVersion, active: str) -> list[dict]:
    """The pages of one version."""
    compare_url = reverse("schemes:compare", args=[version.scheme.key]) + f"?new={version.pk}"
    tabs = [
        ("version", _("责任分解表"), "table", _address("version", version)),
        ("matrix", _("指标与部门矩阵"), "grid-3x3", _address("matrix", version)),
        ("compare", _("版本差异"), "arrow-down-up", compare_url),
    ]
    return [{"label": label, "icon": icon, "url": url, "active": name == active} for name, label, icon, url in tabs]


# ------------------------------------------------------------------ reading


@require_safe
def scheme_list(request: HttpRequest) -> HttpResponse:
    scope = _reader(request)
    versions = list(
        SchemeVersion.objects.select_related("scheme", "unit", "rolled_from").order_by("-year", "-number", "-pk")
    )
    rows = [
        {
            "version": version,
            "points": shown(version.points),
            "url": _address("version", version),
            "issue_url": _elsewhere("workflow:issue", version.pk) if _may_coordinate(scope, version) else None,
            "roll_url": _address("roll", version) if _may_coordinate(scope, version) else None,
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
    scope = _reader(request)
    found = _find(key, year, number)
    document = document_of(found)
    coordinates = _may_coordinate(scope, found)
    actions = [
        {"label": _("打印"), "url": _elsewhere("reports:breakdown_print", found.pk), "icon": "printer"},
        {"label": _("导出 Excel"), "url": _elsewhere("reports:breakdown_xlsx", found.pk), "icon": "file-earmark-excel"},
    ]
    if coordinates:
        actions.append({"label": _("结转到其他年度"), "url": _address("roll", found), "icon": "arrow-repeat"})
        issued = found.status == SchemeVersion.Status.ISSUED
        actions.append(
            {
                "label": _("下达情况") if issued else _("预览并下达"),
                "url": _elsewhere("workflow:issue", found.pk),
                "icon": "send",
                "primary": not issued,
            }
        )
    return render(
        request,
        "schemes/version.html",
        {
            "edition": found,
            "crumbs": _crumbs(found),
            "tabs": _tabs(found, "version"),
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
    return render_to_string("schemes/_table.html", _table(document_of(version)))


def _table(document: Document) -> dict:
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
    _reader(request)
    found = _find(key, year, number)
    document = document_of(found)
    sheet = lay_out(document)
    offices, parts = matrix_of(sheet)
    points = points_table(document)
    return render(
        request,
        "schemes/matrix.html",
        {
            "edition": found,
            "crumbs": _crumbs(found, last=_("指标与部门矩阵")),
            "tabs": _tabs(found, "matrix"),
            "sheet": sheet,
            "offices": [(name, points.total_of[name]) for name in offices],
            "parts": parts,
            "points": points,
            "version_url": _address("version", found),
        },
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


@require_safe
def compare(request: HttpRequest, key: str) -> HttpResponse:
    """What one edition says differently from another: `?old=<id>&new=<id>`."""
    _reader(request)
    versions = list(
        SchemeVersion.objects.select_related("scheme", "unit").filter(scheme__key=key).order_by("-year", "-number")
    )
    if not versions:
        raise NotVisible()
    by_id = {entry.pk: entry for entry in versions}
    new = by_id.get(_number(request.GET.get("new")), versions[0])
    earlier = [entry for entry in reversed(versions) if entry.pk != new.pk]
    before_it = [entry for entry in earlier if (entry.year, entry.number) < (new.year, new.number)]
    default = by_id.get(new.rolled_from_id) or (before_it[-1] if before_it else (earlier[0] if earlier else None))
    old = by_id.get(_number(request.GET.get("old")), default)
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
            "crumbs": _crumbs(new, last=_("版本差异")),
            "tabs": _tabs(new, "compare"),
            "fields": [
                {"name": "old", "label": _("从"), "options": options(old)},
                {"name": "new", "label": _("到"), "options": options(new)},
            ],
            "alone": len(versions) == 1,
            **_differences(found),
        },
    )


def _differences(found) -> dict:
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


# ------------------------------------------------------------------ importing


class UploadForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("方案文件(YAML)"),
        required=False,
        help_text=gettext_lazy("扩展名 .yaml 或 .yml,UTF-8 编码,不超过 5 MB。"),
        widget=forms.FileInput(attrs={"accept": ".yaml,.yml,text/yaml"}),
    )
    library = forms.ChoiceField(label=gettext_lazy("或者选用程序自带的方案"), required=False)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["library"].choices = [("", _("(不选用)")), *((key, key) for key in queries.library_keys())]

    def clean_file(self) -> UploadedFile | None:
        upload = self.cleaned_data["file"]
        if upload is not None and upload.size > MAX_BYTES:
            raise forms.ValidationError(_("文件超过 5 MB。方案文件只有文字,请确认选对了文件。"))
        return upload

    def clean(self) -> dict:
        data = super().clean()
        if not self.errors and not data.get("file") and not data.get("library"):
            raise forms.ValidationError(_("请选择一个方案文件,或选用程序自带的方案。"))
        return data


def _pack(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw, 6)).decode()


def _unpack(text: str) -> bytes | None:
    """The file that was previewed; None when the field was tampered with or cut off."""
    try:
        reader = zlib.decompressobj()
        raw = reader.decompress(base64.b64decode(text, validate=True), MAX_BYTES + 1)
    except (binascii.Error, zlib.error, ValueError):
        return None
    return raw if reader.eof and len(raw) <= MAX_BYTES else None


@require_http_methods(["GET", "HEAD", "POST"])
def import_scheme(request: HttpRequest) -> HttpResponse:
    """Check first, then preview, then import: three looks at the same bytes."""
    _coordinator(request)
    if request.method == "POST" and "packed" in request.POST:
        return _import_confirmed(request)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if not form.is_valid():
        return _import_page(request, form, status=400 if form.is_bound else 200)
    upload = form.cleaned_data["file"]
    if upload is not None:
        raw, name = upload.read(), upload.name
    else:
        path = queries.library_file(form.cleaned_data["library"])
        raw, name = path.read_bytes(), path.name
    return _preview(request, raw, name)


def _import_page(request: HttpRequest, form: UploadForm, *, status: int = 200) -> HttpResponse:
    return render(request, "schemes/import.html", {"form": form, "crumbs": _crumbs(last=_("导入方案"))}, status=status)


def _preview(request: HttpRequest, raw: bytes, name: str, *, refusal: Refusal | None = None) -> HttpResponse:
    document, problems = read_document(raw)
    context = {"crumbs": _crumbs(last=_("导入方案")), "file_name": name, "refusal": refusal}
    if document is None:
        lines = raw.decode("utf-8", "replace").splitlines()
        listed = [
            {"problem": problem, "text": lines[problem.line - 1].strip()[:120] if _has(lines, problem.line) else ""}
            for problem in problems
        ]
        context |= {"problems": listed, "form": UploadForm()}
        return render(request, "schemes/import_problems.html", context, status=400)
    same = SchemeVersion.objects.filter(scheme__key=document.key, year=document.year).order_by("-number").first()
    context |= {
        "packed": _pack(raw),
        "already": same if same is not None and same.digest == document.digest else None,
        "previous": same,
        "next_number": same.number + 1 if same else 1,
        **_table(document),
    }
    if context["already"] is not None:
        context["already_url"] = _address("version", context["already"])
    return render(request, "schemes/import_preview.html", context, status=refusal.status if refusal else 200)


def _has(lines: list[str], line: int | None) -> bool:
    return line is not None and 0 < line <= len(lines)


def _import_confirmed(request: HttpRequest) -> HttpResponse:
    name = request.POST.get("name", "")[:200]
    raw = _unpack(request.POST["packed"])
    if raw is None:
        form = UploadForm({})
        form.add_error(None, _("预览的内容没有完整送达,没有导入。请重新选择文件。"))
        return _import_page(request, form, status=400)
    document, _problems = read_document(raw)
    if document is None or document.digest != request.POST.get("digest"):
        return _preview(request, raw, name)
    try:
        new = operations.import_document(document=document, actor=actor_of(request), at=timezone.now())
    except Refusal as refusal:
        return _preview(request, raw, name, refusal=refusal)
    messages.success(
        request,
        _("已导入《{title}》({year}年度第{number}版)。下一步:核对存疑,然后预览并下达。").format(
            title=new.title, year=new.year, number=new.number
        ),
    )
    return redirect(_address("version", new))


# ------------------------------------------------------------------ rolling


class RollForm(forms.Form):
    year = forms.IntegerField(label=gettext_lazy("结转到年度"), min_value=FIRST_YEAR, max_value=LAST_YEAR)

    def __init__(self, *args, document: Document, **kwargs):
        super().__init__(*args, **kwargs)
        self.document = document
        self.names = dict(enumerate(document.offices))
        for index, name in self.names.items():
            self.fields[f"office_{index}"] = forms.CharField(
                label=name, required=False, max_length=120, widget=forms.TextInput(attrs={"placeholder": name})
            )

    def clean_year(self) -> int:
        year = self.cleaned_data["year"]
        if year == self.document.year:
            raise forms.ValidationError(_("这一版本来就是{year}年度的,请选择其他年度。").format(year=year))
        return year

    @property
    def renamed(self) -> Mapping[str, str]:
        given = {name: self.cleaned_data.get(f"office_{index}", "").strip() for index, name in self.names.items()}
        return {name: new for name, new in given.items() if new and new != name}

    @property
    def any_renamed(self) -> bool:
        return self.is_bound and any(self.data.get(f"office_{index}") for index in self.names)

    @property
    def office_fields(self) -> list:
        return [self[f"office_{index}"] for index in self.names]


@require_http_methods(["GET", "HEAD", "POST"])
def roll(request: HttpRequest, key: str, year: int, number: int) -> HttpResponse:
    """Choose the year, see what changes, confirm."""
    scope = _coordinator(request)
    found = _find(key, year, number)
    if not _may_coordinate(scope, found):
        raise NotVisible()
    document = document_of(found)
    given = request.POST if request.method == "POST" else (request.GET or None)
    initial = {"year": max(date.today().year, found.year + 1)}
    form = RollForm(given, document=document, initial=initial)
    context = {
        "edition": found,
        "form": form,
        "crumbs": _crumbs(found, last=_("结转到其他年度")),
        "refusal": None,
        "differences": None,
    }
    status = 200
    if form.is_bound and form.is_valid():
        if request.method == "POST":
            try:
                new = operations.roll(
                    version=found,
                    year=form.cleaned_data["year"],
                    offices=form.renamed,
                    actor=actor_of(request),
                    at=timezone.now(),
                )
            except Refusal as refusal:
                context["refusal"], status = refusal, refusal.status
            else:
                messages.success(
                    request,
                    _("已结转为{year}年度第{number}版,尚未下达。").format(year=new.year, number=new.number),
                )
                return redirect(_address("version", new))
        new_document = rolled(document, year=form.cleaned_data["year"], offices=form.renamed)
        context |= _differences(differences(document, new_document))
        context["target_year"] = form.cleaned_data["year"]
    elif form.is_bound:
        status = 400
    return render(request, "schemes/roll.html", context, status=status)
