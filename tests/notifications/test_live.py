"""The live channel of the real server, over real sockets."""

import contextlib
import time

import pytest
from websockets.exceptions import InvalidStatus

from tests.notifications.live import closed_within, drain, newest, people, tell
from tests.servers import free_port

LIVE_ENV = {"SCAN_INTERVAL_SECONDS": "0.2"}
# The server's promise; what it needs is a look every two seconds.
AT_ONCE = 5
MAKE_LATE = """
from datetime import timedelta
from django.utils import timezone
from accounts.models import Membership
from tasks.models import Task
task = Task.objects.filter(state="accepted", office__memberships__user_id={user}).first()
due_at = timezone.now() - timedelta(seconds=1)
Task.objects.filter(pk=task.pk).update(due_at=due_at, next_check_at=due_at + timedelta(microseconds=1))
print(task.pk)
"""


@pytest.fixture(scope="module")
def app(live_server_process):
    return live_server_process


@pytest.fixture(scope="module")
def crowd(app):
    return people(app)


def test_a_push_arrives_and_only_with_those_it_is_for(app, crowd):
    clerk, stranger = crowd["clerk"], crowd["coordinator"]
    with clerk.socket() as mine, stranger.socket() as foreign:
        assert drain(mine, 2.5) >= 1  # look, on opening
        assert drain(foreign) >= 1
        last = newest(clerk)
        tell(app, "push-1", clerk)
        assert drain(mine, AT_ONCE) == 1
        data = clerk.since(last)
        assert [item["title"] for item in data["items"]] == ["push-1"]
        assert data["unread"] >= 1
        assert data["late"] >= 1
        assert drain(foreign, 1) == 0
    assert "push-1" not in [item["title"] for item in stranger.since(0)["items"]]


def test_without_any_push_the_page_learns_of_it(live_app):
    """No jobs in the server, and a channel layer that ends at its walls: the rows are looked at all the same."""
    app = live_app(env={"JOBS_ENGINE": "celery", "REDIS_URL": ""})
    crowd = people(app)
    clerk, stranger = crowd["clerk"], crowd["coordinator"]
    with clerk.socket() as mine, stranger.socket() as foreign:
        drain(mine)
        drain(foreign)
        tell(app, "unpushed", clerk)
        assert drain(mine, AT_ONCE) == 1
        assert drain(foreign, 0.5) == 0


def test_a_push_inside_the_server_is_immediate(app, crowd):
    """No need to wait for the look at the database: reading on one page updates the bell on the other."""
    clerk = crowd["clerk"]
    tell(app, "push-2", clerk)
    with clerk.socket() as mine:
        drain(mine, 2.5)
        began = time.monotonic()
        status, content = clerk.request("POST", "/notifications/read/", {"up_to": newest(clerk)})
        assert (status, content) == (200, b'{"unread": 0, "late": 0}')
        assert mine.recv(timeout=AT_ONCE)
        assert time.monotonic() - began < 1.5


def test_a_task_that_falls_overdue_reaches_the_open_page(app, crowd):
    """The whole way: clock, scan in the server, rows, push, page."""
    clerk = crowd["clerk"]
    with clerk.socket() as mine:
        drain(mine)
        last = newest(clerk)
        task = int(app.shell(MAKE_LATE.format(user=clerk.pk)))
        assert mine.recv(timeout=AT_ONCE)
        until = time.monotonic() + AT_ONCE
        while not (items := clerk.since(last)["items"]):
            assert time.monotonic() < until
        assert items[-1]["title"].startswith("已逾期:")
        assert items[-1]["level"] == "red"
        assert items[-1]["url"] == f"/work/tasks/{task}/"


def test_who_comes_back_is_told_to_look_and_finds_everything(app, crowd):
    clerk = crowd["clerk"]
    with clerk.socket() as mine:
        drain(mine)
        last = newest(clerk)
    for n in range(3):
        tell(app, f"missed-{n}", clerk)
    with clerk.socket() as mine:
        assert drain(mine) >= 1
        assert [item["title"] for item in clerk.since(last)["items"]] == ["missed-0", "missed-1", "missed-2"]


def test_pages_of_a_restarted_server_catch_up(live_app):
    """kill -9 of the web process: the page reconnects, is told to look, and misses nothing."""
    app = live_app(env=LIVE_ENV)
    clerk = people(app)["clerk"]
    with clerk.socket() as mine:
        drain(mine)
        last = newest(clerk)
        app.kill()
        assert closed_within(mine, 5) is not None
    tell(app, "while-away", clerk)
    app.start()
    with clerk.socket() as mine:
        assert mine.recv(timeout=AT_ONCE)
        assert [item["title"] for item in clerk.since(last)["items"]] == ["while-away"]


# ------------------------------------------------------------------ who gets in


def refused(open_socket) -> int:
    with pytest.raises(InvalidStatus) as error, open_socket():
        pass
    return error.value.response.status_code


def test_foreign_origins_are_refused(app, crowd):
    clerk = crowd["clerk"]
    with clerk.socket():
        pass
    port = app.port
    for origin in (
        None,
        "null",
        "http://evil.example",
        f"http://127.0.0.1:{free_port()}",
        "http://127.0.0.1",
        f"https://127.0.0.1:{port}",
        f"http://localhost:{port}",
        f"http://127.0.0.1:{port}.evil.example",
        f"http://evil.example@127.0.0.1:{port}",
    ):
        assert refused(lambda origin=origin: clerk.socket(origin=origin)) == 403, origin


def test_without_a_session_there_is_no_channel(app, crowd):
    for cookie in ("", "sessionid=invented"):
        assert refused(lambda cookie=cookie: crowd["clerk"].socket(cookie=cookie)) == 403


def test_an_unknown_address_is_closed_and_no_server_error(app, crowd):
    assert refused(lambda: crowd["clerk"].socket(path="/ws/other/")) == 403
    assert refused(lambda: crowd["clerk"].socket(path="/")) == 403


# ------------------------------------------------------------------ who is put out

SESSION = """
from django.contrib.sessions.models import Session
from accounts.models import User
user = User.objects.get(pk={user})
"""


@pytest.mark.parametrize(
    ("role", "ending"),
    [
        ("reviewer", "Session.objects.filter(session_key={session!r}).delete()"),
        ("leader", "user.is_active = False; user.save()"),
        ("auditor", "user.set_password('another-one-2026'); user.save()"),
    ],
    ids=["session ended", "disabled", "password changed"],
)
def test_the_socket_of_somebody_signed_out_is_closed(app, crowd, role, ending):
    person = crowd[role]
    with person.socket() as mine, crowd["clerk"].socket() as other:
        drain(mine)
        app.shell((SESSION + ending).format(user=person.pk, session=person.session))
        assert closed_within(mine, AT_ONCE) == 4401
        drain(other)
        assert other.ping().wait(5), "the others stay"
    assert refused(person.socket) == 403


def test_logout_closes_the_socket(app, crowd):
    person = crowd["administrator"]
    with person.socket() as mine:
        drain(mine)
        status, _ = person.request("POST", "/logout/", {})
        assert status in (200, 302)
        assert closed_within(mine, AT_ONCE) == 4401


def test_a_sixth_page_closes_the_first(app, crowd):
    clerk = crowd["clerk"]
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(clerk.socket()) for _ in range(6)]
        assert closed_within(sockets[0], AT_ONCE) == 4008
        for socket in sockets[1:]:
            assert drain(socket, 0.2) >= 1
            assert socket.ping().wait(5)


def test_long_and_frequent_messages_close_the_socket(app, crowd):
    clerk = crowd["clerk"]
    with clerk.socket() as mine:
        mine.send("x" * 2000)
        assert closed_within(mine, AT_ONCE) == 1009
    with clerk.socket() as mine:
        for _ in range(101):
            mine.send("{}")
        assert closed_within(mine, AT_ONCE) == 1009
    with clerk.socket() as mine:
        mine.send(b"binary")
        assert closed_within(mine, AT_ONCE) == 1009
