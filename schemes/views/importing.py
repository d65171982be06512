"""Importing: check first, then preview, then import. Three looks at the same bytes."""

import base64
import binascii
import zlib

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.actors import actor_of
from accounts.errors import Refusal
from schemes import operations, queries
from schemes.importers import read_document
from schemes.importers.yaml_file import MAX_BYTES
from schemes.models import SchemeVersion
from schemes.views.parts import address, coordinator, crumbs_to
from schemes.views.reading import table_of


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
    coordinator(request)
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
    return render(
        request, "schemes/import.html", {"form": form, "crumbs": crumbs_to(last=_("导入方案"))}, status=status
    )


def _preview(request: HttpRequest, raw: bytes, name: str, *, refusal: Refusal | None = None) -> HttpResponse:
    document, problems = read_document(raw)
    context = {"crumbs": crumbs_to(last=_("导入方案")), "file_name": name, "refusal": refusal}
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
        **table_of(document),
    }
    if context["already"] is not None:
        context["already_url"] = address("version", context["already"])
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
    return redirect(address("version", new))
