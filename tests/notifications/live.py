"""Helpers of the websocket tests: people of a running application, their sessions, and a page's socket."""

import http.client
import json
import time
from urllib.parse import urlencode, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

PEOPLE = """
import json
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from tests.world import build

def session(user):
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return store.session_key

world = build()
print(json.dumps({role: [user.pk, session(user)] for role, user in world.people.items()}))
"""
TELL = """
from django.db import transaction
from django.utils import timezone
from notifications.operations import Message, notify
with transaction.atomic():
    notify(messages=[Message(key={key!r}, kind="test", level="red", title={key!r}, url="/", recipients=frozenset({people!r}))],
           at=timezone.now())
"""  # noqa: E501
POKE = '{"type":"poke"}'


class Person:
    """Somebody with a session in the running application."""

    def __init__(self, app, pk: int, session: str) -> None:
        self.app, self.pk, self.session = app, pk, session

    @property
    def cookie(self) -> str:
        return f"sessionid={self.session}"

    def socket(self, *, origin: str | None = "", path: str = "/ws/live/", cookie: str | None = None, server=None):
        server = server or self.app
        address = f"ws://{urlsplit(server.url).netloc}{path}"
        headers = {"Cookie": self.cookie if cookie is None else cookie}
        return connect(
            address,
            origin=server.url if origin == "" else origin,
            additional_headers=headers,
            proxy=None,
            open_timeout=10,
            close_timeout=2,
        )

    def request(self, method: str, path: str, form: dict | None = None) -> tuple[int, bytes]:
        line = http.client.HTTPConnection(urlsplit(self.app.url).netloc, timeout=20)
        token = "c" * 32
        headers = {"Cookie": f"{self.cookie}; csrftoken={token}", "X-CSRFToken": token, "Accept": "application/json"}
        body = None
        if form is not None:
            body = urlencode(form, doseq=True)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        line.request(method, path, body=body, headers=headers)
        response = line.getresponse()
        content = response.read()
        line.close()
        return response.status, content

    def since(self, after: int) -> dict:
        status, content = self.request("GET", f"/notifications/since/?after={after}")
        assert status == 200
        return json.loads(content)


def people(app) -> dict[str, Person]:
    return {role: Person(app, *pair) for role, pair in json.loads(app.shell(PEOPLE)).items()}


def tell(app, key: str, *who: Person) -> None:
    """A notification from another process."""
    app.shell(TELL.format(key=key, people=[person.pk for person in who]))


def newest(person: Person) -> int:
    return max([item["id"] for item in person.since(0)["items"]], default=0)


def drain(socket, quiet: float = 0.5) -> int:
    """Take what has arrived until nothing comes for a while; how many."""
    count = 0
    while True:
        try:
            assert socket.recv(timeout=quiet) == POKE
        except TimeoutError:
            return count
        count += 1


def closed_within(socket, seconds: float) -> int | None:
    """The code with which the server closes the socket, None if it does not in time."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            socket.recv(timeout=left)
        except TimeoutError:
            return None
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006
    return None
