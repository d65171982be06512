"""Turning a refused operation into an answer."""

from django.shortcuts import render

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
