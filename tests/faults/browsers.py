"""People at a running application, each with a browser of plain http.client: real logins, real forms, real cookies."""

import http.client
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from tests.world import PASSWORD

FORM = "application/x-www-form-urlencoded"
INPUT = re.compile(r"<input\b[^>]*>")
NAME = re.compile(r'\bname="([^"]*)"')
VALUE = re.compile(r'\bvalue="([^"]*)"')


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    location: str = ""


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a page; of several forms the first wins."""
    found: dict[str, str] = {}
    for tag in INPUT.findall(page):
        if 'type="hidden"' in tag and (name := NAME.search(tag)):
            value = VALUE.search(tag)
            found.setdefault(name[1], unescape(value[1]) if value else "")
    return found


def multipart(fields: dict[str, str], name: str, content: bytes) -> tuple[bytes, str]:
    """A body with one file, and its content type."""
    boundary = uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + content
        + f"\r\n--{boundary}--\r\n".encode()
    )
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


@dataclass
class Browser:
    """Somebody who is logged in, with several connections for clicks at the same moment."""

    url: str
    username: str
    cookies: dict[str, str] = field(default_factory=dict)
    lines: dict[int, http.client.HTTPConnection] = field(default_factory=dict)
    used: dict[int, float] = field(default_factory=dict)

    def log_in(self) -> "Browser":
        token = hidden(self.get("/login/").text)["csrfmiddlewaretoken"]
        form = {"username": self.username, "password": PASSWORD, "csrfmiddlewaretoken": token}
        answer = self.post("/login/", form)
        assert answer.status == 302, f"{self.username} could not log in: {answer.status}"
        return self

    def line(self, number: int) -> http.client.HTTPConnection:
        """A connection; a new one where the old one has been idle for so long that the server may be closing it."""
        if number not in self.lines:
            self.lines[number] = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        line, now = self.lines[number], time.monotonic()
        if now - self.used.get(number, now) > 2:
            line.close()
        self.used[number] = now
        return line

    def close(self) -> None:
        for line in self.lines.values():
            line.close()
        self.lines.clear()

    def send(self, method: str, path: str, body: bytes | None = None, kind: str = FORM, number: int = 0) -> Answer:
        headers = {"Cookie": "; ".join(f"{key}={value}" for key, value in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = kind
        line = self.line(number)
        line.request(method, path, body=body, headers=headers)
        response = line.getresponse()
        text = response.read().decode("utf-8", "replace")
        for cookie in response.headers.get_all("Set-Cookie", ()):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return Answer(response.status, text, response.headers.get("Location", ""))

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def protected(self, form: dict[str, str]) -> dict[str, str]:
        return form if "csrfmiddlewaretoken" in form else form | {"csrfmiddlewaretoken": self.cookies["csrftoken"]}

    def post(self, path: str, form: dict[str, str]) -> Answer:
        return self.send("POST", path, urlencode(self.protected(form)).encode())


@dataclass(frozen=True)
class Click:
    """One request of one person, ready to be sent."""

    browser: Browser
    path: str
    body: bytes
    kind: str = FORM

    @classmethod
    def of(cls, browser: Browser, path: str, form: dict[str, str]) -> "Click":
        return cls(browser, path, urlencode(browser.protected(form)).encode())

    @classmethod
    def upload(cls, browser: Browser, path: str, name: str, content: bytes) -> "Click":
        return cls(browser, path, *multipart(browser.protected({}), name, content))


def together(*clicks: Click) -> list[Answer]:
    """Send all at the same moment, each on a connection of its own."""
    gate = threading.Barrier(len(clicks), timeout=20)
    answers: list[Answer | Exception | None] = [None] * len(clicks)

    def run(number: int, click: Click) -> None:
        try:
            line = click.browser.line(number + 1)
            if line.sock is None:
                line.connect()
            gate.wait()
            answers[number] = click.browser.send("POST", click.path, click.body, click.kind, number + 1)
        except Exception as error:
            answers[number] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(clicks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    broken = [answer for answer in answers if not isinstance(answer, Answer)]
    assert not broken, f"a click was not answered: {broken}"
    return answers


def statuses(answers: Sequence[Answer]) -> list[int]:
    return sorted(answer.status for answer in answers)
