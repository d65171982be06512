"""Who gets what answer at every address: tests/permissions.yaml holds the expectations. No address goes without.

Each cell is a request of one role, by one method, about an object of the role's own office or of the other. Nothing it
does stays. What may never happen, whatever the file says: a server error, a word of an office that the role may not
read.

To add an address: `PERMISSIONS_DRAFT=1 pytest tests/house/test_permission_matrix.py -k draft -s` prints lines with
today's answers for every address that has none. Read them before you copy them: the file says what is right, not what
is.
"""

import copy
import io
import os
import re
import zipfile
from functools import cache
from pathlib import Path

import pytest
import yaml
from asgiref.testing import ApplicationCommunicator
from django.db import transaction
from django.db.models import Model
from django.urls import URLResolver, get_resolver

from tests.world import ROLES, World

FILE = Path(__file__).resolve().parents[1] / "permissions.yaml"
LOGIN = "login"
REFUSALS = (401, 403, 404, 405)


# ------------------------------------------------------------------ addresses


def routes(resolver: URLResolver | None = None, prefix: str = "") -> dict[str, str]:
    """route → qualified name of every pattern, as in tasks/<int:pk>/."""
    found: dict[str, str] = {}
    for entry in (resolver or get_resolver()).url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            found |= routes(entry, route)
        else:
            found[route] = f"{entry.callback.__module__}.{getattr(entry.callback, '__name__', entry.callback)}"
    return found


@cache
def matrix() -> dict[str, dict]:
    return yaml.safe_load(FILE.read_text("utf-8"))


def filled(value, world: World, side):
    """An argument of the file as a value: `task`, `tasks.accepted`, `world.version.year`, or after = literally."""
    if not isinstance(value, str):
        return value
    if value.startswith("="):
        return value[1:]
    names = value.split(".")
    found = side
    if names[0] == "world":
        found, names = world, names[1:]
    for name in names:
        found = found[name] if isinstance(found, dict) else getattr(found, name)
    return found.pk if isinstance(found, Model) else found


def address(route: str, line: dict, world: World, side) -> str:
    def argument(match: re.Match) -> str:
        name = match.group(1)
        assert name in line.get("args", {}), f"{route}: tests/permissions.yaml must say what {name} is (args)"
        return str(filled(line["args"][name], world, side))

    url = "/" + re.sub(r"<(?:\w+:)?(\w+)>", argument, route)
    query = "&".join(f"{k}={filled(v, world, side)}" for k, v in line.get("query", {}).items())
    return f"{url}?{query}" if query else url


def asks_about_an_office(line: dict) -> bool:
    values = [*line.get("args", {}).values(), *line.get("query", {}).values(), *line.get("data", {}).values()]
    return any(not str(value).startswith(("world.", "=")) for value in values)


# ------------------------------------------------------------------ expectations


def expected(line: dict, method: str, role: str, side_key: str) -> tuple:
    """The allowed answers of a cell: statuses, or "login"."""
    cells = line[method]
    if not isinstance(cells, dict):
        cells = {"anyone": cells}
    if role in cells:
        cell = cells[role]
    elif "anyone" in cells:
        cell = cells["anyone"]
    elif role in ("anonymous", "disabled"):
        cell = LOGIN
    else:
        cell = cells["others"]
    parts = [part.strip() for part in str(cell).split("/")]
    part = parts[-1] if side_key == "other" else parts[0]
    return tuple(int(p) if p.isdigit() else p for p in re.split(r"\s*\|\s*", part))


def answer_of(response):
    if (
        response.status_code == 302
        and response["Location"].split("?")[0] == "/login/"
        and "next=" in response["Location"]
    ):
        return LOGIN
    return response.status_code


def request(client, method: str, url: str, line: dict, world: World, side):
    data = {k: filled(v, world, side) for k, v in line.get("data", {}).items()} if method == "POST" else None
    send = getattr(client, method.lower())
    return send(url, data) if data is not None else send(url)


def body_of(response) -> str:
    """All the text an answer carries, headers and the insides of Word and Excel files too."""
    content = b"".join(response.streaming_content) if response.streaming else response.content
    pieces = [str(response.headers).encode(), content]
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            pieces += [packed.read(name) for name in packed.namelist()]
    return b"\n".join(pieces).decode("utf-8", errors="replace")


class Cells:
    """Asks, and takes back whatever was done."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clients = {role: world.client(role, raise_request_exception=False) for role in ROLES}
        self.foreign = {role: world.foreign_markers(role) for role in ROLES}

    def ask(self, role: str, method: str, url: str, line: dict, side):
        client = copy.copy(self.clients[role])
        client.cookies = copy.deepcopy(self.clients[role].cookies)
        with transaction.atomic():
            response = request(client, method, url, line, self.world, side)
            text = body_of(response)
            transaction.set_rollback(True)
        leaks = [marker for marker in self.foreign[role] if marker in text]
        return answer_of(response), leaks


# ------------------------------------------------------------------ the tests


def test_every_address_has_its_expectations():
    missing = sorted(set(routes()) - set(matrix()))
    stale = sorted(set(matrix()) - set(routes()))
    assert not missing, f"no line in tests/permissions.yaml (see the head of {Path(__file__).name}): {missing}"
    assert not stale, f"lines in tests/permissions.yaml for addresses that are gone: {stale}"


def test_the_file_itself_is_sound():
    for route, line in matrix().items():
        assert set(line) <= {"args", "query", "data", "GET", "POST", "why"}, route
        for method in ("GET", "POST"):
            cells = line[method]
            if isinstance(cells, dict):
                assert set(cells) <= {*ROLES, "others", "anyone"}, f"{route} {method}"
                assert "others" in cells or "anyone" in cells, f"{route} {method}: what do the others get?"
            else:
                # open to everybody, even to who is not logged in: only for a reason
                assert cells == 405 or line.get("why"), f"{route} {method}: say why anybody may"


@pytest.mark.parametrize("route", sorted(set(routes()) & set(matrix())))
def test_answers(world, route):
    line = matrix()[route]
    cells = Cells(world)
    sides = world.sides if asks_about_an_office(line) else (world.own,)
    wrong = []
    for side in sides:
        url = address(route, line, world, side)
        for role in ROLES:
            allowed = {method: expected(line, method, role, side.key) for method in ("GET", "POST")}
            # what the file does not name must be refused, or be like the GET or POST that it is handled as
            allowed["HEAD"] = (*allowed["GET"], 405)
            for method in ("PUT", "PATCH", "DELETE"):
                allowed[method] = (LOGIN, *REFUSALS, *allowed["GET"])
            for method, answers in allowed.items():
                answer, leaks = cells.ask(role, method, url, line, side)
                cell = f"{role} {method} {url} ({side.key})"
                if answer not in answers:
                    wrong.append(f"{cell}: {answer}, expected {' or '.join(map(str, answers))}")
                if leaks:
                    wrong.append(f"{cell}: shows {leaks}")
                if isinstance(answer, int) and answer >= 500:
                    wrong.append(f"{cell}: server error")
    assert not wrong, "\n".join(wrong)


def test_a_leak_would_be_seen(world):
    """The guard itself: an answer with a foreign word is found, also inside a zip."""
    from django.http import HttpResponse

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", f"<t>{world.other.marker}</t>")
    assert world.other.marker in body_of(HttpResponse(packed.getvalue()))
    assert world.other.marker in world.foreign_markers("clerk")
    assert world.client("clerk").get("/").status_code == 200


def test_foreign_objects_answer_like_missing_ones(world):
    """404 for both, and the same page: the answer must not tell that the object exists."""
    for route, line in matrix().items():
        if line.get("args", {}).get("pk") is None or line.get("query"):
            continue
        for role in ("clerk", "head", "reviewer"):
            if expected(line, "GET", role, "own") == expected(line, "GET", role, "other"):
                continue
            client = world.client(role)
            foreign = client.get(address(route, line, world, world.other))
            missing = client.get(re.sub(r"/\d+/", "/999999/", address(route, line, world, world.other), count=1))
            assert foreign.status_code == missing.status_code == 404, route
            assert _without_numbers(foreign) == _without_numbers(missing), route


def _without_numbers(response) -> str:
    text = re.sub(r'name="csrf-?(token|middlewaretoken)"[^>]*>', "", response.content.decode())
    return re.sub(r"\d+", "0", text)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/ws/live/", "/ws/", "/", "/ws/live/1/", "/work/"])
@pytest.mark.parametrize("origin", [b"http://localhost", b"http://evil.example", b""])
async def test_no_websocket_without_a_login(path, origin):
    from notifications.routing import websocket_application

    headers = [(b"host", b"localhost")] + ([(b"origin", origin)] if origin else [])
    scope = {"type": "websocket", "path": path, "query_string": b"", "headers": headers, "subprotocols": []}
    socket = ApplicationCommunicator(websocket_application(), scope)
    await socket.send_input({"type": "websocket.connect"})
    answer = await socket.receive_output(timeout=5)
    assert answer["type"] == "websocket.close"
    assert answer["code"] in (4401, 4403, 4404)
    await socket.send_input({"type": "websocket.disconnect", "code": answer["code"]})
    await socket.wait(timeout=5)


# ------------------------------------------------------------------ drafting new lines

GUESSES = {
    "task": "task",
    "draft": "tasks.accepted",
    "files": "tasks.accepted",
    "submit": "tasks.accepted",
    "confirm": "tasks.confirming",
    "review": "tasks.reviewing",
    "evidence": "evidence",
    "remove": "draft_evidence",
    "score": "scorecard",
    "finding": "finding",
    "office": "office",
    "people": "clerk",
    "member": "membership",
    "notification": "delivery",
    "year": "world.version.year",
    "number": "world.version.number",
    "key": "world.version.scheme.key",
    "version": "world.version",
    "indicator": "indicator",
}


def guess(route: str, name: str) -> str:
    words = [word for word in GUESSES if word in (name if name in GUESSES else route)]
    return GUESSES[words[-1]] if words else "=1"


def print_draft(world):
    """Print lines for the addresses that have none."""
    cells = Cells(world)
    for route in sorted(set(routes()) - set(matrix())):
        args = {name: guess(route, name) for name in re.findall(r"<(?:\w+:)?(\w+)>", route)}
        line = {"args": args} if args else {}
        print(f'\n"{route}":')
        if args:
            print(f"  args: {{{', '.join(f'{k}: {v}' for k, v in args.items())}}}")
        for method in ("GET", "POST"):
            answers = {}
            for role in ROLES:
                got = [
                    str(cells.ask(role, method, address(route, line, world, side), line, side)[0])
                    for side in (world.sides if args else (world.own,))
                ]
                answers[role] = got[0] if len(set(got)) == 1 else "/".join(got)
            if len(set(answers.values())) == 1 and "405" in answers.values():
                print(f"  {method}: 405")
                continue
            rest = [a for r, a in answers.items() if r not in ("anonymous", "disabled")]
            others = max(set(rest), key=rest.count)
            shown = {
                r: a for r, a in answers.items() if (a != LOGIN if r in ("anonymous", "disabled") else a != others)
            }
            shown["others"] = others
            print(f"  {method}: {{{', '.join(f'{role}: {answer}' for role, answer in shown.items())}}}")


if os.environ.get("PERMISSIONS_DRAFT"):

    def test_draft(world):
        print_draft(world)
