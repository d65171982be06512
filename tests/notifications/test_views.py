"""The bell's list and what an open page asks."""

import json

import pytest
from django.urls import reverse
from django.utils import timezone

from notifications.models import Delivery
from notifications.operations import Message, notify


@pytest.fixture
def told(world):
    """Three notifications of the clerk, one of somebody else."""
    rows = [("one", "info"), ("two", "amber"), ("three", "red")]
    messages = [
        Message(
            key=key,
            kind="test",
            level=level,
            title=f"{world.own.marker}{key}",
            body=f"正文<b>{key}</b>",
            url=f"/work/tasks/{world.own.task.pk}/",
            recipients=frozenset({world.own.clerk.pk}),
        )
        for key, level in rows
    ]
    foreign = Message(
        key="foreign",
        kind="test",
        title=f"{world.other.marker}foreign",
        url="/",
        recipients=frozenset({world.other.clerk.pk}),
    )
    notify(messages=[*messages, foreign], at=timezone.now())
    return {row.notification.key: row for row in Delivery.objects.select_related("notification")}


def test_since_tells_what_is_new(world, told):
    answer = world.client("clerk").get(reverse("notifications:since"), {"after": told["one"].pk})
    data = answer.json()
    assert data["unread"] == 4  # and the one that the world begins with
    assert data["late"] == 1
    assert [item["id"] for item in data["items"]] == [told["two"].pk, told["three"].pk]
    assert data["items"][1] | {"at": ""} == {
        "id": told["three"].pk,
        "title": f"{world.own.marker}three",
        "body": "正文<b>three</b>",
        "url": f"/work/tasks/{world.own.task.pk}/",
        "level": "red",
        "at": "",
    }
    assert data["items"][1]["at"].endswith("+08:00")
    assert "no-store" in answer.headers["Cache-Control"]
    assert world.other.marker not in json.dumps(data, ensure_ascii=False)


@pytest.mark.parametrize("after", ["", "x", "-1", "٣", "9" * 40, "1.5", "0x10"])
def test_since_takes_any_nonsense(world, told, after):
    assert world.client("clerk").get(reverse("notifications:since"), {"after": after}).status_code == 200


def test_the_list_shows_unread_ones_and_on_request_all(world, told):
    client = world.client("clerk")
    client.post(reverse("notifications:read"), {"id": [told["one"].pk]})
    unread = client.get(reverse("notifications:list")).content.decode()
    assert f"{world.own.marker}one" not in unread
    assert f"{world.own.marker}two" in unread
    assert "正文&lt;b&gt;two&lt;/b&gt;" in unread
    everything = client.get(reverse("notifications:list"), {"show": "all"}).content.decode()
    assert f"{world.own.marker}one" in everything
    assert world.other.marker not in unread + everything


def test_the_list_is_paged_by_id(world, told):
    messages = [
        Message(key=f"p{n}", kind="test", title=f"第{n:02}条", url="/", recipients=frozenset({world.own.clerk.pk}))
        for n in range(40)
    ]
    notify(messages=messages, at=timezone.now())
    client = world.client("clerk")
    first = client.get(reverse("notifications:list"))
    assert len(first.context["page"].rows) == 30
    second = client.get(reverse("notifications:list"), {"before": first.context["page"].older})
    assert len(second.context["page"].rows) == 14
    assert second.context["page"].older is None
    seen = [row.pk for row in [*first.context["page"].rows, *second.context["page"].rows]]
    assert seen == sorted(set(seen), reverse=True)


def test_reading_is_a_post_and_ones_own(world, told):
    client = world.client("clerk")
    assert client.get(reverse("notifications:read")).status_code == 405
    answer = client.post(
        reverse("notifications:read"), {"id": [told["foreign"].pk, "x"]}, headers={"accept": "application/json"}
    )
    assert answer.json() == {"unread": 4, "late": 1}
    told["foreign"].refresh_from_db()
    assert told["foreign"].read_at is None
    answer = client.post(
        reverse("notifications:read"), {"up_to": told["three"].pk}, headers={"accept": "application/json"}
    )
    assert answer.json() == {"unread": 0, "late": 0}


@pytest.mark.parametrize(
    ("onward", "expected"),
    [
        ("/work/", "/work/"),
        ("", "/notifications/"),
        ("https://evil.example/", "/notifications/"),
        ("//evil.example/", "/notifications/"),
        ("javascript:alert(1)", "/notifications/"),
    ],
)
def test_reading_goes_on_within_the_site(world, told, onward, expected):
    answer = world.client("clerk").post(reverse("notifications:read"), {"id": told["one"].pk, "next": onward})
    assert (answer.status_code, answer.headers["Location"]) == (302, expected)


@pytest.mark.parametrize("role", ["anonymous", "disabled"])
@pytest.mark.parametrize("name", ["list", "since"])
def test_strangers_are_sent_to_the_login(world, told, role, name):
    answer = world.client(role).get(reverse(f"notifications:{name}"))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(reverse("login"))


def test_queries_do_not_grow_with_the_list(world, told, django_assert_max_num_queries):
    client = world.client("clerk")
    client.get(reverse("notifications:list"))
    with django_assert_max_num_queries(12):
        client.get(reverse("notifications:list"), {"show": "all"})
    with django_assert_max_num_queries(6):
        client.get(reverse("notifications:since"))
