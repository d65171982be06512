"""Static files, the language, refused operations as answers, and one-time passwords that must be changed."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from whitenoise.middleware import WhiteNoiseMiddleware

from accounts.errors import Refusal


class StaticFiles(WhiteNoiseMiddleware):
    """whitenoise, answering with bytes: its file iterator is synchronous, which ASGI consumes with a warning."""

    @staticmethod
    def serve(static_file, request):
        found = static_file.get_response(request.method, request.META)
        body = b""
        if found.file is not None:
            with found.file as opened:
                body = opened.read()
        response = HttpResponse(body, status=int(found.status))
        del response["content-type"]
        for key, value in found.headers:
            response[key] = value
        return response


class LanguageMiddleware:
    """Chinese, unless somebody chose English on this browser (the cookie of set_language).

    Django's own LocaleMiddleware would also heed Accept-Language. Office machines often run an English system: the
    header then asks for English although the person in front of it reads Chinese, and said nothing of the kind.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME)
        with translation.override(chosen if chosen in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE):
            request.LANGUAGE_CODE = translation.get_language()
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language())
        patch_vary_headers(response, ["Cookie"])
        return response


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
