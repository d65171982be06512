"""Addresses that belong to no room: health, the source offer, and the error pages."""

from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
@login_not_required
def healthz(request):
    """200 when the database answers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


@require_safe
@login_not_required
def source(request):
    """AGPL section 13: where the source of this very server is had."""
    return render(request, "about/source.html")


def bad_request(request, exception):
    return render(request, "errors/400.html", status=400)


def forbidden(request, exception):
    return render(request, "errors/403.html", status=403)


def not_found(request, exception):
    return render(request, "errors/404.html", status=404)


def server_error(request):
    try:
        return render(request, "errors/500.html", status=500)
    except Exception:
        return HttpResponse(
            "服务器出错,请稍后再试。 The server failed, try again later.",
            status=500,
            content_type="text/plain; charset=utf-8",
        )
