"""Logging in and out, the lock, one-time passwords: with what the audit trail keeps of each."""

import re

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client

from accounts.actors import NOT_LOGGED_IN, actor_of
from accounts.models import User
from audit.models import AuditEntry
from tests.world import PASSWORD

LOGIN = "/login/"


def entries(verb: str):
    return list(AuditEntry.objects.filter(verb=verb).order_by("seq"))


def log_in(client: Client, username="clerk", password=PASSWORD, **more):
    return client.post(LOGIN, {"username": username, "password": password, **more})


def test_login_page_says_where_one_is(world, client):
    page = client.get(LOGIN).content.decode()
    assert "责任" in page
    assert "English" in page  # the language switch
    assert 'autocomplete="current-password"' in page
    english = client.get(LOGIN, headers={"accept-language": "en"})
    assert english.status_code == 200


def test_login_renews_the_session_and_is_recorded(world, client):
    client.post("/i18n/setlang/", {"language": "en", "next": "/login/"})
    session = client.session
    session["before"] = "x"
    session.save()
    before = session.session_key
    client.cookies["sessionid"] = before
    response = log_in(client)
    assert response.status_code == 302
    assert response["Location"] == "/"
    assert client.session.session_key != before
    assert client.session[SESSION_KEY] == str(world.own.clerk.pk)
    (entry,) = entries("account.logged_in")
    assert (entry.actor, entry.subject_id, entry.ip) == (world.own.clerk, world.own.clerk.pk, "127.0.0.1")


@pytest.mark.parametrize(
    ("asked", "leads_to"),
    [
        ("/audit/?verb=x", "/audit/?verb=x"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("http://testserver@evil.example/", "/"),
        ("", "/"),
    ],
)
def test_next_stays_on_this_server(world, client, asked, leads_to):
    assert log_in(client, next=asked)["Location"] == leads_to


def test_wrong_password(world, client):
    page = log_in(client, password="wrong").content.decode()
    assert "账号或密码不正确" in page
    assert 'value="clerk"' in page  # what was typed stays
    assert "wrong" not in re.sub(r"<[^>]*class[^>]*>", "", page)
    (entry,) = entries("account.login_failed")
    assert (entry.actor, entry.actor_label, entry.subject_id) == (None, NOT_LOGGED_IN, world.own.clerk.pk)
    assert entry.detail == {"username": "clerk", "known": True, "locked": False}


def test_an_unknown_name_is_not_kept_and_looks_the_same(world, client):
    known = log_in(client, password="wrong").content.decode()
    unknown = log_in(client, username="my-secret-password", password="wrong").content.decode()

    def blank(page):
        return re.sub(r'value="[^"]*"|content="[^"]*"|csrf\w+', "", page)

    assert blank(known) == blank(unknown)
    assert entries("account.login_failed")[-1].detail == {"username": "", "known": False, "locked": False}
    assert "my-secret" not in str([e.detail for e in AuditEntry.objects.all()])


def test_disabled_people_do_not_get_in_and_learn_nothing(world, client):
    page = log_in(client, username="disabled").content.decode()
    assert "账号或密码不正确" in page
    assert SESSION_KEY not in client.session


def test_five_wrong_passwords_lock_the_name_from_everywhere(world, client):
    for number in range(5):
        response = client.post(
            LOGIN,
            {"username": "clerk", "password": "wrong"},
            headers={"x-forwarded-for": f"10.0.0.{number}"},
            REMOTE_ADDR=f"192.0.2.{number}",
        )
    assert response.status_code == 429
    page = response.content.decode()
    assert "登录暂时锁定" in page
    assert "30 分钟" in page
    assert "5 次" in page
    for number in range(5):  # the right password does not help either, nor another claimed address
        response = client.post(
            LOGIN,
            {"username": "clerk", "password": PASSWORD},
            headers={"x-forwarded-for": f"198.51.100.{number}"},
            REMOTE_ADDR=f"203.0.113.{number}",
        )
        assert response.status_code == 429
    assert SESSION_KEY not in client.session
    assert entries("account.login_failed")[-1].detail["locked"] is True
    assert {e.ip for e in entries("account.login_failed")} == {f"192.0.2.{n}" for n in range(5)} | {
        f"203.0.113.{n}" for n in range(5)
    }
    assert log_in(client, username="head").status_code == 302  # others are not locked


def test_resetting_the_password_lifts_the_lock(world, client):
    for _ in range(5):
        log_in(client, password="wrong")
    page = world.client("administrator").post(f"/accounts/people/{world.own.clerk.pk}/password/")
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    password = re.search(r'translate="no">([^<]+)<', page.content.decode()).group(1)
    assert world.user("clerk").check_password(password)
    assert log_in(client, password=password)["Location"] == "/"


def test_logging_out(world):
    client = world.client("clerk")
    assert client.get("/logout/").status_code == 405
    key = client.session.session_key
    assert client.post("/logout/")["Location"] == LOGIN
    (entry,) = entries("account.logged_out")
    assert entry.actor == world.own.clerk
    client.cookies["sessionid"] = key
    assert client.get("/").status_code == 302  # the old session is gone
    assert Client().post("/logout/").status_code == 302
    assert len(entries("account.logged_out")) == 1


def test_a_one_time_password_opens_only_the_page_to_change_it(world):
    User.objects.filter(pk=world.own.clerk.pk).update(must_change_password=True)
    client = world.client("clerk")
    for url in ("/", "/work/tasks/", f"/work/tasks/{world.own.task.pk}/", "/notifications/since/"):
        assert client.get(url)["Location"] == "/password/", url
        assert client.post(url)["Location"] == "/password/", url
    partial = client.get("/", headers={"HX-Request": "true"})
    assert (partial.status_code, partial["HX-Redirect"]) == (204, "/password/")
    assert client.get("/password/").status_code == 200
    assert client.get("/about/source/").status_code == 200
    new = "Ein-ganz-neues-9"
    weak = client.post("/password/", {"old_password": PASSWORD, "new_password1": "1234", "new_password2": "1234"})
    assert weak.status_code == 200
    assert world.user("clerk").must_change_password
    done = client.post("/password/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert done["Location"] == "/"
    assert client.get("/").status_code == 200  # still logged in here
    assert not world.user("clerk").must_change_password
    assert len(entries("account.password_changed")) == 1


def test_a_new_password_ends_the_other_sessions(world):
    here, elsewhere = world.client("clerk"), world.client("clerk")
    new = "Ein-ganz-neues-9"
    here.post("/password/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302


def test_the_same_password_again_is_no_change(world):
    client = world.client("clerk")
    User.objects.filter(pk=world.own.clerk.pk).update(must_change_password=True)
    again = {"old_password": PASSWORD, "new_password1": PASSWORD, "new_password2": PASSWORD}
    assert client.post("/password/", again).status_code == 200
    assert world.user("clerk").must_change_password


def test_disabled_loses_access_with_the_next_request(world):
    client = world.client("clerk")
    assert client.get("/").status_code == 200
    User.objects.filter(pk=world.own.clerk.pk).update(is_active=False)
    assert client.get("/")["Location"].startswith(LOGIN)


def test_no_password_is_ever_recorded(world, client):
    log_in(client, password="Falsches-Wort-77")
    log_in(client)
    new = "Ein-ganz-neues-9"
    client.post("/password/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    kept = str([(e.detail, e.actor_label) for e in AuditEntry.objects.all()])
    assert not any(word in kept for word in (PASSWORD, new, "Falsches-Wort-77"))


def test_actor_of_a_request_without_a_person(rf):
    request = rf.get("/", REMOTE_ADDR="192.0.2.7", headers={"x-forwarded-for": "10.9.9.9"})
    actor = actor_of(request)
    assert (actor.user, actor.label, actor.ip, actor.is_system) == (None, NOT_LOGGED_IN, "192.0.2.7", False)
