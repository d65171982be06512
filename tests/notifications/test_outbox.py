"""Rows first, pushes after; what is written once is told once."""

import logging
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from notifications import operations, push
from notifications.models import Delivery, Notification
from notifications.operations import Message, deliver_pending, mark_read, notify
from notifications.queries import last_id, late_count, page, since, unread_count
from tests.world import build


def message(key: str, *people, **fields) -> Message:
    return Message(
        **{"key": key, "kind": "test", "title": key, "url": "/", "recipients": frozenset(p.pk for p in people)} | fields
    )


@pytest.fixture
def pushed(monkeypatch):
    """What was handed to the channel layer: (people, newest)."""
    found = []

    async def take(users, newest):
        found.append((users, newest))

    monkeypatch.setattr(push, "_hand_over", take)
    return found


@pytest.fixture
def layer_down(monkeypatch):
    async def fail(users, newest):
        raise ConnectionError("layer down")

    monkeypatch.setattr(push, "_hand_over", fail)


def test_a_key_is_told_once(world):
    now = timezone.now()
    clerk, head = world.own.clerk, world.own.head
    assert notify(messages=[message("a", clerk), message("b", clerk, head)], at=now) == 3
    assert notify(messages=[message("a", clerk, head), message("c", head)], at=now) == 1
    assert Delivery.objects.filter(notification__key="a").count() == 1
    assert Notification.objects.filter(key__in="abc").count() == 3


def test_nobody_to_tell_writes_nothing(world):
    assert notify(messages=[message("a")], at=timezone.now()) == 0
    assert notify(messages=[], at=timezone.now()) == 0
    assert not Notification.objects.filter(key="a").exists()


def test_words_with_quotes_and_signs_survive(world):
    """Values travel as one document: nothing in them may end it."""
    text = "引号\"'\\反斜杠\n换行\t%s {} $1 ' OR 1=1 --"
    notify(messages=[message("a", world.own.clerk, title=text, body=text)], at=timezone.now())
    row = Notification.objects.get(key="a")
    assert (row.title, row.body) == (text, text)


def test_the_push_comes_after_the_commit_and_never_after_a_rollback(world, pushed, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        notify(messages=[message("a", world.own.clerk)], at=timezone.now())
        assert pushed == []
    assert pushed == [([world.own.clerk.pk], last_id(world.own.clerk))]
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        notify(messages=[message("b", world.own.clerk)], at=timezone.now())
        transaction.set_rollback(True)
    assert len(pushed) == 1


def test_a_layer_that_is_down_disturbs_nobody(world, layer_down, caplog, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        notify(messages=[message("a", world.own.clerk)], at=timezone.now())
    assert "push not sent, pages will catch up: layer down" in caplog.text
    assert Delivery.objects.filter(notification__key="a").exists()


def test_the_sweep_stamps_only_what_was_handed_over(world, monkeypatch, pushed, caplog):
    now = timezone.now()
    notify(messages=[message("a", world.own.clerk, world.own.head)], at=now)

    def during_the_push(users, newest):
        raise ConnectionError("layer down")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(push, "send", lambda users, newest: during_the_push(users, newest))
        assert deliver_pending(at=now) == 0
    assert Delivery.objects.filter(sent_at=None).count() == 2
    assert "tried again at the next tick" in caplog.text
    assert deliver_pending(at=now) == 2
    assert pushed == [(sorted([world.own.clerk.pk, world.own.head.pk]), last_id(world.own.head))]
    assert deliver_pending(at=now) == 0
    assert len(pushed) == 1


def test_a_row_that_came_during_the_push_waits_for_the_next_sweep(world, monkeypatch):
    now = timezone.now()
    notify(messages=[message("a", world.own.clerk), message("z", world.own.head)], at=now)

    def late_arrival(users, newest):
        if not Notification.objects.filter(key="late").exists():
            notify(messages=[message("late", world.other.clerk)], at=now)

    monkeypatch.setattr(push, "send", late_arrival)
    assert deliver_pending(at=now) == 2
    assert list(Delivery.objects.filter(sent_at=None).values_list("notification__key", flat=True)) == ["late"]


def test_the_sweep_goes_through_large_heaps(world, monkeypatch, pushed):
    monkeypatch.setattr(operations, "SWEEP_BATCH", 10)
    notify(messages=[message(f"n{n}", world.own.clerk) for n in range(35)], at=timezone.now())
    assert deliver_pending(at=timezone.now()) == 35
    assert [newest for _, newest in pushed] == sorted(newest for _, newest in pushed)
    assert len(pushed) == 4


def test_quiet_recipients_have_the_row_and_hear_nothing(world, pushed, django_capture_on_commit_callbacks):
    now = timezone.now()
    clerk, head = world.own.clerk, world.own.head
    before = unread_count(head)
    with django_capture_on_commit_callbacks(execute=True):
        notify(messages=[message("a", clerk, quiet=frozenset({head.pk}))], at=now)
    assert Delivery.objects.filter(notification__key="a").count() == 2
    assert pushed[0][0] == [clerk.pk]
    assert unread_count(head) == before
    assert since(head, after=0) == []
    assert "a" not in [row.notification.key for row in page(head, unread=False).rows]


def test_reading_touches_ones_own_only(world):
    now = timezone.now()
    clerk, other = world.own.clerk, world.other.clerk
    notify(messages=[message("a", clerk, other, level="red"), message("b", clerk)], at=now)
    foreign = Delivery.objects.get(recipient=other, notification__key="a").pk
    assert late_count(clerk) == 1
    assert mark_read(user=clerk, at=now, ids=[foreign]) == 0
    assert mark_read(user=clerk, at=now, ids=[Delivery.objects.get(recipient=clerk, notification__key="a").pk]) == 1
    assert late_count(clerk) == 0
    assert [row.notification.key for row in since(clerk, after=0)][-1] == "b"
    assert mark_read(user=clerk, at=now + timedelta(minutes=1), up_to_id=last_id(clerk)) == 2
    assert unread_count(clerk) == 0
    assert late_count(other) == 1
    with pytest.raises(TypeError):
        mark_read(user=clerk, at=now)


@pytest.mark.postgres_only
@pytest.mark.django_db(transaction=True)
def test_ids_are_in_the_order_of_commit():
    """A page asks for everything after the last id it saw. A lower id that is committed later would be lost to it."""
    world = build()
    second_done = threading.Event()

    def second():
        try:
            with transaction.atomic():
                notify(messages=[message("second", world.own.clerk)], at=timezone.now())
            second_done.set()
        finally:
            connection.close()

    thread = threading.Thread(target=second)
    with transaction.atomic():
        notify(messages=[message("first", world.own.clerk)], at=timezone.now())
        thread.start()
        assert not second_done.wait(0.7), "the second writer committed a higher id before the first"
    assert second_done.wait(10)
    thread.join()
    keys = Delivery.objects.filter(notification__key__in=["first", "second"]).order_by("id")
    assert list(keys.values_list("notification__key", flat=True)) == ["first", "second"]


@pytest.mark.django_db(transaction=True)
def test_the_same_key_from_two_writers_at_once_is_told_once():
    world = build()
    barrier, counts = threading.Barrier(4), []

    def work():
        try:
            barrier.wait(10)
            for n in range(20):
                with transaction.atomic():
                    counts.append(notify(messages=[message(f"k{n}", world.own.clerk)], at=timezone.now()))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(counts) == 20 == Delivery.objects.filter(notification__kind="test").count()
    assert len(counts) == 80
