"""The fan-out inside one process, without sockets or a server."""

import asyncio

import pytest

from notifications import push
from notifications.consumers import LiveConsumer
from notifications.hub import Hub, Look


class Socket:
    def __init__(self, user_id: int, session_key: str = "s", session_hash: str = "h") -> None:
        self.user_id, self.session_key, self.session_hash = user_id, session_key, session_hash
        self.nudges, self.closed = 0, None

    def nudge(self) -> None:
        self.nudges += 1

    async def close(self, code: int) -> None:
        self.closed = code


def hub_with(*sockets: Socket) -> Hub:
    hub = Hub()
    for socket in sockets:
        hub.sockets[socket.user_id].append(socket)
    return hub


def test_only_those_meant_are_told():
    one, two, other = Socket(1), Socket(1), Socket(2)
    hub_with(one, two, other).tell([1, 99])
    assert (one.nudges, two.nudges, other.nudges) == (1, 1, 0)


def test_the_same_news_is_told_once():
    """The push on commit, the outbox's sweep and the look at the database all speak of the same row."""
    socket = Socket(1)
    hub = hub_with(socket)
    for newest in (7, 7, 5, 8, 8):
        hub.tell([1], newest)
    assert socket.nudges == 2
    hub.tell([1])  # a poke about nothing numbered always goes through
    assert socket.nudges == 3


def test_who_leaves_is_forgotten():
    socket = Socket(1)
    hub = hub_with(socket)
    hub.tell([1], 7)
    hub.leave(socket)
    hub.leave(socket)
    assert not hub.sockets
    hub.sockets[1].append(socket)
    hub.tell([1], 7)
    assert socket.nudges == 2


async def test_the_look_closes_and_tells(monkeypatch):
    good, gone, disabled, changed = Socket(1, "a"), Socket(1, "b"), Socket(2, "c"), Socket(3, "d", "old")
    hub = hub_with(good, gone, disabled, changed)
    look = Look(newest=9, news={1: 9}, people={1: frozenset("h"), 3: frozenset("n")}, sessions=frozenset("acd"))
    monkeypatch.setattr("notifications.hub.look_up", lambda users, sessions, after: look)
    await hub._look()
    await asyncio.gather(*hub._closing)
    assert [socket.closed for socket in (good, gone, disabled, changed)] == [None, 4401, 4401, 4401]
    assert good.nudges == 1
    assert list(hub.sockets) == [1]


class Layer:
    """A channel layer that fails the first times."""

    def __init__(self, failures: int) -> None:
        self.failures, self.joined, self.queue = failures, [], asyncio.Queue()

    async def new_channel(self) -> str:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("layer down")
        return "specific.channel"

    async def group_add(self, group, channel) -> None:
        self.joined.append((group, channel))

    async def receive(self, channel):
        message = await self.queue.get()
        if message is None:
            raise ConnectionError("layer lost")
        return message


async def test_a_lost_layer_is_joined_again(monkeypatch):
    layer = Layer(failures=1)
    monkeypatch.setattr("notifications.hub.get_channel_layer", lambda: layer)
    pauses = []
    sleep = asyncio.sleep

    async def short(seconds):
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr("notifications.hub.asyncio.sleep", short)
    socket = Socket(1)
    hub = hub_with(socket)
    listening = asyncio.get_running_loop().create_task(hub._listen())
    await layer.queue.put({"type": "poke", "users": [1], "newest": 5})
    await layer.queue.put(None)
    await layer.queue.put({"type": "poke", "users": [1], "newest": 6})
    for _ in range(50):
        await sleep(0)
    listening.cancel()
    assert socket.nudges == 2
    assert len(layer.joined) == 2
    assert pauses == [0.5, 0.5]


async def test_a_slow_line_holds_nobody_up_and_piles_nothing_up():
    consumer = LiveConsumer()
    gate, sent = asyncio.Event(), []

    async def send(text_data):
        sent.append(text_data)
        await gate.wait()

    consumer.send = send
    consumer._sending, consumer._again = None, False
    for _ in range(20):
        consumer.nudge()  # returns at once
        await asyncio.sleep(0)
    assert len(sent) == 1
    gate.set()
    await asyncio.sleep(0.01)
    assert len(sent) == 2


@pytest.mark.parametrize("hand_over", [push.poke, push.send])
async def test_a_push_from_another_thread_is_done_in_the_servers_loop(monkeypatch, hand_over):
    """The in-memory layer's queues belong to that loop; from outside they would be touched unsafely."""
    used = []

    async def take(users, newest):
        used.append((asyncio.get_running_loop(), users, newest))

    monkeypatch.setattr(push, "_hand_over", take)
    push.use_loop(asyncio.get_running_loop())
    try:
        await asyncio.to_thread(hand_over, {2, 1}, newest=5)
        await asyncio.sleep(0.05)
    finally:
        push.use_loop(None)
    assert used == [(asyncio.get_running_loop(), [1, 2], 5)]


@pytest.mark.django_db(transaction=True)
def test_the_look_reads_what_is_new_for_those_present():
    from django.utils import timezone

    from notifications.hub import look_up
    from notifications.operations import Message, notify
    from notifications.queries import last_id
    from tests.world import build

    world = build()
    clerk, head = world.own.clerk, world.own.head
    before = max(last_id(clerk), last_id(world.other.clerk))
    message = Message(
        key="a", kind="t", title="a", url="/", recipients=frozenset({clerk.pk}), quiet=frozenset({head.pk})
    )
    notify(messages=[message], at=timezone.now())
    present = {clerk.pk, head.pk, world.people["disabled"].pk}
    look = look_up(present, {"no such session"}, before)
    assert look.news == {clerk.pk: last_id(clerk)}
    assert look.newest == last_id(head)
    assert look.people.keys() == {clerk.pk, head.pk}
    assert clerk.get_session_auth_hash() in look.people[clerk.pk]
    assert look.sessions == frozenset()
    assert look_up(present, set(), look.newest).news == {}
