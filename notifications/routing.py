"""The websocket application: exact origins, a session, one address."""

from urllib.parse import urlsplit

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.conf import settings
from django.urls import path, re_path

from notifications.consumers import Closed, LiveConsumer


class ExactOrigin:
    """Accepts a handshake only from the page's own scheme, host and port, or from a configured origin.

    Channels' own validator compares hosts only: it accepts another port of the same host.
    """

    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        headers = dict(scope.get("headers") or ())
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        if settings.WEBSOCKET_ORIGINS:
            allowed = origin in settings.WEBSOCKET_ORIGINS
        else:
            allowed = bool(origin) and urlsplit(origin).netloc == host and bool(host)
        if not allowed:
            await receive()
            await send({"type": "websocket.close", "code": 4403})
            return None
        return await self.application(scope, receive, send)


def websocket_application():
    return ExactOrigin(
        AuthMiddlewareStack(
            URLRouter([path("ws/live/", LiveConsumer.as_asgi()), re_path(r"^.*$", Closed.as_asgi())])
        )
    )
