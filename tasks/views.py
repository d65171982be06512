"""The draft that saves itself, and the files: in (hostile until checked) and out (never run by a browser)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from functools import wraps
from typing import IO

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import RequestDataTooBig
from django.core.handlers.asgi import ASGIRequest
from django.db import transaction
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import actor_of
from accounts.errors import BadInput, NotVisible, Refusal
from accounts.grants import Scope, scope_of
from audit.operations import record
from tasks import operations
from tasks.files import path_of
from tasks.forms import merged
from tasks.models import Evidence, Task
from tasks.presenters import SHOWN_INLINE, file_of
from tasks.queries import draft_of, get_evidence, get_visible

logger = logging.getLogger(__name__)
CHUNK = 256 * 1024


# ------------------------------------------------------------------ requests that arrive broken


class Broken(Refusal):
    """A request whose body could not be read."""

    status = 400


def wants_json(request: HttpRequest) -> bool:
    return request.headers.get("X-Requested-With") == "XMLHttpRequest" or "application/json" in request.headers.get(
        "Accept", ""
    )


def broken(request: HttpRequest, message: str, *, status: int) -> HttpResponse:
    """A request whose body could not be read: said in words, to the script or on a page."""
    if wants_json(request):
        return JsonResponse({"error": message}, status=status)
    if status == 413:
        limit = f"{settings.EVIDENCE_MAX_BYTES // 1048576} MB"
        return render(request, "errors/413.html", {"limit": limit}, status=413)
    return render(request, "errors/refused.html", {"refusal": Broken(message)}, status=status)


def guarded(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Answer in words when the body is cut off, malformed or too large. It is read here, before the token is checked,
    because the check itself would be the first to stumble over it."""
    protected = csrf_protect(view)

    @csrf_exempt
    @wraps(view)
    def outer(request: HttpRequest, *args, **kwargs) -> HttpResponseBase:
        try:
            request.POST  # noqa: B018 – reading it is the point
        except RequestDataTooBig:
            return broken(request, _("提交的内容太大,没有保存。请减少文字,或把文件拆开后再传。"), status=413)
        except UnreadablePostError:
            logger.warning("upload cut off: %s", request.path)
            return broken(request, _("上传中断,没有收到完整的内容。请检查网络后重新上传。"), status=400)
        except MultiPartParserError:
            logger.warning("malformed upload: %s", request.path)
            return broken(request, _("收到的内容不完整或格式有误,没有保存。请重新上传。"), status=400)
        return protected(request, *args, **kwargs)

    return outer


# ------------------------------------------------------------------ the draft


def _save_typed(request: HttpRequest, task: Task, *, at) -> None:
    """Keep what stands in the posted form; where the form was not sent along, there is nothing to keep."""
    if "text" not in request.POST and "_fields" not in request.POST:
        return
    typed = merged(request.POST, task, draft_of(task))
    operations.save_draft(
        task_id=task.pk, actor=actor_of(request), at=at, text=typed.text, values=typed.values, base=typed.base
    )


@guarded
@require_POST
def draft(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep what was typed so far. The script sends changed fields only; without a script the whole form comes."""
    task, at = get_visible(pk, scope=scope_of(request.user)), timezone.now()
    try:
        _save_typed(request, task, at=at)
    except Refusal as refusal:
        if not wants_json(request):
            raise
        return JsonResponse({"error": str(refusal)}, status=refusal.status)
    message = _("草稿已保存 {at}").format(at=timezone.localtime(at).strftime("%H:%M"))
    if wants_json(request):
        return JsonResponse({"saved_at": at.isoformat(), "message": message})
    messages.success(request, message)
    return redirect(operations.url_of(task))


# ------------------------------------------------------------------ files in


@guarded
@require_POST
def upload(request: HttpRequest, pk: int) -> HttpResponse:
    """Attach files to the draft: each is taken or refused by itself, and a refusal says why and how to go on."""
    task, at = get_visible(pk, scope=scope_of(request.user)), timezone.now()
    script, problems, taken = wants_json(request), [], 0
    files = request.FILES.getlist("files")
    if not files:
        problems.append(_("没有收到文件。请选择文件后再上传。"))
    if not script:
        _save_typed(request, task, at=at)
    for file in files:
        try:
            operations.add_evidence(task_id=pk, actor=actor_of(request), at=at, upload=file)
            taken += 1
        except (Refusal, BadInput) as refusal:
            if script:
                return JsonResponse({"error": str(refusal)}, status=refusal.status)
            problems.append(str(refusal))
    if script:
        if problems:
            return JsonResponse({"error": problems[0]}, status=400)
        return file_list(request, task)
    if taken:
        messages.success(request, _("已上传 {n} 个文件。").format(n=taken))
    for problem in problems:
        messages.error(request, problem)
    return redirect(operations.url_of(task))


def file_list(request: HttpRequest, task: Task) -> HttpResponse:
    """The draft's files as a piece of a page."""
    row = draft_of(task)
    files = [file_of(e, removable=True) for e in row.evidence.all()] if row else []
    return render(request, "tasks/files.html", {"files": files})


@guarded
@require_POST
def evidence_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a file off the draft. The button stands in the form: what was typed there is kept first."""
    at = timezone.now()
    found = get_evidence(pk, scope=scope_of(request.user))
    task, name = found.submission.task, found.name
    _save_typed(request, task, at=at)
    operations.remove_evidence(evidence_id=pk, actor=actor_of(request), at=at)
    messages.success(request, _("已移除“{name}”。").format(name=name))
    return redirect(operations.url_of(task))


# ------------------------------------------------------------------ files out


def readable_evidence(pk: int, scope: Scope) -> Evidence:
    """A piece of evidence whose task the person may see, or that was handed in to their own office's collection."""
    try:
        return get_evidence(pk, scope=scope)
    except NotVisible:
        found = (
            Evidence.objects.select_related("blob", "submission__task__office")
            .filter(
                pk=pk,
                submission__submitted_at__isnull=False,
                submission__task__collected_by__office_id__in=scope.member,
            )
            .first()
        )
        if found is None:
            raise
        return found


async def _chunks(handle: IO[bytes]) -> AsyncIterator[bytes]:
    try:
        while chunk := await asyncio.to_thread(handle.read, CHUNK):
            yield chunk
    finally:
        handle.close()


@require_safe
def evidence(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Hand a file over. With ?view=1 a PDF or a picture is shown, in a sandbox; anything else is never shown."""
    found = readable_evidence(pk, scope_of(request.user))
    task = found.submission.task
    try:
        handle = path_of(found.blob.sha256).open("rb")
    except OSError:
        logger.error("evidence %s: stored file %s cannot be read", found.pk, found.blob.sha256, exc_info=True)
        return render(
            request,
            "tasks/missing_file.html",
            {"name": found.name, "sha256": found.blob.sha256, "task_url": operations.url_of(task)},
            status=500,
        )
    inline = request.GET.get("view") == "1" and found.blob.content_type in SHOWN_INLINE
    content_type = found.blob.content_type if inline else "application/octet-stream"
    response: HttpResponseBase
    if isinstance(request, ASGIRequest):
        response = StreamingHttpResponse(_chunks(handle), content_type=content_type)
    else:
        response = FileResponse(handle, content_type=content_type)
    response["Content-Length"] = str(found.blob.size)
    response["Content-Disposition"] = content_disposition_header(not inline, found.name)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = policy(content_type)
    response["Cache-Control"] = "private, max-age=300" if inline else "private, no-store"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    if not inline and request.method == "GET":
        with transaction.atomic():
            record(
                actor=actor_of(request),
                at=timezone.now(),
                verb="evidence.downloaded",
                subject=task,
                office_id=task.office_id,
                detail={"name": found.name, "sha256": found.blob.sha256},
            )
    return response


def policy(content_type: str) -> str:
    return "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'self'; sandbox"
