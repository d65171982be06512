"""From which pages a websocket may be opened."""

import pytest
from django.test import override_settings

from notifications.routing import origin_allowed

HOSTS = ["zeren.example.gov.cn", "127.0.0.1"]


def scope(origin: str | None, host: str | None, scheme: str = "ws", **more: str) -> dict:
    headers = [(b"host", host.encode())] if host is not None else []
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in more.items()]
    return {"type": "websocket", "scheme": scheme, "headers": headers}


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "allowed"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "ws", True),
        ("http://zeren.example.gov.cn", "zeren.example.gov.cn", "ws", True),
        ("http://ZEREN.example.gov.cn", "zeren.example.gov.cn", "ws", True),
        ("http://zeren.example.gov.cn", "zeren.example.gov.cn:80", "ws", True),
        ("https://zeren.example.gov.cn", "zeren.example.gov.cn", "wss", True),
        ("https://zeren.example.gov.cn:443", "zeren.example.gov.cn", "wss", True),
        ("http://zeren.example.gov.cn", "zeren.example.gov.cn", "wss", False),
        ("https://zeren.example.gov.cn", "zeren.example.gov.cn", "ws", False),
        ("http://zeren.example.gov.cn:8080", "zeren.example.gov.cn", "ws", False),
        ("http://zeren.example.gov.cn", "zeren.example.gov.cn:8080", "ws", False),
        ("http://evil.example", "zeren.example.gov.cn", "ws", False),
        ("http://zeren.example.gov.cn.evil.example", "zeren.example.gov.cn", "ws", False),
        ("http://sub.zeren.example.gov.cn", "zeren.example.gov.cn", "ws", False),
        # a foreign name that resolves to this server is its own origin, but not ours
        ("http://evil.example", "evil.example", "ws", False),
        ("http://user@zeren.example.gov.cn", "zeren.example.gov.cn", "ws", False),
        ("http://zeren.example.gov.cn/path", "zeren.example.gov.cn", "ws", False),
        ("http://zeren.example.gov.cn:99999", "zeren.example.gov.cn:99999", "ws", False),
        ("null", "zeren.example.gov.cn", "ws", False),
        ("", "zeren.example.gov.cn", "ws", False),
        ("zeren.example.gov.cn", "zeren.example.gov.cn", "ws", False),
        (None, "zeren.example.gov.cn", "ws", False),
        ("http://zeren.example.gov.cn", None, "ws", False),
    ],
)
def test_origins(origin, host, scheme, allowed):
    with override_settings(ALLOWED_HOSTS=HOSTS, WEBSOCKET_ORIGINS=[], SERVE_HTTPS=False, SECURE_PROXY_SSL_HEADER=None):
        assert origin_allowed(scope(origin, host, scheme)) is allowed


def test_behind_a_proxy_the_scheme_is_the_one_outside():
    with override_settings(
        ALLOWED_HOSTS=HOSTS,
        WEBSOCKET_ORIGINS=[],
        SERVE_HTTPS=False,
        SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    ):
        https, http = "https://zeren.example.gov.cn", "http://zeren.example.gov.cn"
        assert origin_allowed(scope(https, "zeren.example.gov.cn", x_forwarded_proto="https"))
        assert not origin_allowed(scope(http, "zeren.example.gov.cn", x_forwarded_proto="https"))
        assert not origin_allowed(scope(https, "zeren.example.gov.cn", x_forwarded_proto="http"))


def test_configured_origins_are_exact_and_the_only_ones():
    with override_settings(ALLOWED_HOSTS=HOSTS, WEBSOCKET_ORIGINS=["https://zeren.example.gov.cn:8443"]):
        assert origin_allowed(scope("https://zeren.example.gov.cn:8443", "internal:8000"))
        assert not origin_allowed(scope("https://zeren.example.gov.cn", "zeren.example.gov.cn", "wss"))


def test_a_doubled_header_is_refused():
    doubled = scope("http://127.0.0.1", "127.0.0.1")
    doubled["headers"].append((b"origin", b"http://evil.example"))
    with override_settings(ALLOWED_HOSTS=HOSTS, WEBSOCKET_ORIGINS=[]):
        assert not origin_allowed(doubled)
