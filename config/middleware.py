"""Turning a refused operation into an answer, and a one-time password into a chosen one."""

from django.conf import settings
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts.errors import Refusal


class RefusalMiddleware:
    """A Refusal that no view caught becomes a page that says what, why and how to go on."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, exception):
        if isinstance(exception, Refusal):
            template = "errors/404.html" if exception.status == 404 else "errors/refused.html"
            return render(request, template, {"refusal": exception}, status=exception.status)
        return None


class MustChangePasswordMiddleware:
    """Logged in with a one-time password: every address leads to choosing a password of one's own."""

    OPEN = ("password_change", "logout", "set_language", "healthz", "source")

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        user = getattr(request, "user", None)
        if (
            user is not None
            and user.is_authenticated
            and user.must_change_password
            and not request.path.startswith(f"/{settings.STATIC_URL.strip('/')}/")
            and request.path not in {reverse(name) for name in self.OPEN}
        ):
            target = reverse("password_change")
            if request.headers.get("HX-Request"):
                response = redirect(target)
                response.status_code = 204
                response["HX-Redirect"] = target
                return response
            return redirect(target)
        return self.get_response(request)
