"""The websocket application: exact origins, a session, one address."""

from urllib.parse import urlsplit

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.urls import path, re_path

from notifications.consumers import Closed, LiveConsumer

FORBIDDEN = 4403


class ExactOrigin:
    """Accepts a handshake only from the page's own scheme, host and port, or from a configured origin.

    Channels' own validator compares hosts only: it accepts another port of the same host, and http for https.
    """

    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        if not origin_allowed(scope):
            await receive()
            await send({"type": "websocket.close", "code": FORBIDDEN})
            return None
        return await self.application(scope, receive, send)


def origin_allowed(scope) -> bool:
    """Whether a handshake comes from a page of this very site."""
    headers: dict[bytes, bytes] = {}
    for name, value in scope.get("headers") or ():
        if name in headers and name in (b"origin", b"host"):
            return False
        headers[name] = value
    origin = headers.get(b"origin", b"").decode("latin-1").lower()
    host = headers.get(b"host", b"").decode("latin-1").lower()
    if not origin or not host:
        return False
    if settings.WEBSOCKET_ORIGINS:
        return origin in {allowed.lower() for allowed in settings.WEBSOCKET_ORIGINS}
    # the host must be ours: a foreign name that resolves to this server is an origin of its own
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return False
    secure = settings.SERVE_HTTPS or scope.get("scheme") == "wss" or _said_by_proxy(headers)
    own = _normal(f"{'https' if secure else 'http'}://{host}")
    return own is not None and _normal(origin) == own


def _said_by_proxy(headers: dict[bytes, bytes]) -> bool:
    if settings.SECURE_PROXY_SSL_HEADER is None:
        return False
    name, value = settings.SECURE_PROXY_SSL_HEADER
    wire_name = name.removeprefix("HTTP_").replace("_", "-").lower().encode()
    return headers.get(wire_name, b"").split(b",")[0].strip() == value.encode()


def _normal(origin: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port, with the scheme's own port where none is written; None if it is no origin."""
    try:
        parts = urlsplit(origin)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        return None
    if not parts.hostname or parts.username is not None or parts.path or parts.query or parts.fragment:
        return None
    return parts.scheme, parts.hostname, port


def websocket_application():
    return ExactOrigin(
        AuthMiddlewareStack(URLRouter([path("ws/live/", LiveConsumer.as_asgi()), re_path(r"^.*$", Closed.as_asgi())]))
    )
