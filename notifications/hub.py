"""One subscription of the channel layer per process, fanned out to this process's sockets.

A subscription per socket costs ten times as much (docs/decisions/0005).
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.contrib.sessions.models import Session
from django.db import connections
from django.db.models import Max
from django.utils import timezone

from accounts.models import User
from notifications.models import Delivery
from notifications.push import GROUP

logger = logging.getLogger("zeren.live")
LOOK_SECONDS = 2
REJOIN_SECONDS = 600
LONGEST_PAUSE = 15
SOCKETS_PER_USER = 5

SIGNED_OUT = 4401
TOO_MANY = 4008


@dataclass(frozen=True)
class Look:
    """What the database says about the people whose pages are open."""

    newest: int
    news: dict[int, int]  # person → newest unread delivery after the last look
    people: dict[int, frozenset[str]]  # active people → session hashes that are still theirs
    sessions: frozenset[str]


class Hub:
    """The sockets of this process, by person. Lives in the server's event loop."""

    def __init__(self) -> None:
        self.sockets: dict[int, list] = defaultdict(list)
        self._told: dict[int, int] = {}  # person → newest delivery their pages were told to look at
        self._looked: int | None = None  # every delivery up to this id has been looked at
        self._jobs: list[asyncio.Task] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channel: str | None = None
        self._closing: set[asyncio.Task] = set()

    async def join(self, socket) -> None:
        self._ensure_running()
        if self._looked is None:
            # Read before the page is told to look for the first time: what is committed after this is news.
            self._looked = await sync_to_async(_newest, thread_sensitive=False)()
        mine = self.sockets[socket.user_id]
        mine.append(socket)
        while len(mine) > SOCKETS_PER_USER:
            self._close(mine[0], TOO_MANY)

    def leave(self, socket) -> None:
        mine = self.sockets.get(socket.user_id, [])
        if socket in mine:
            mine.remove(socket)
        if not mine:
            self.sockets.pop(socket.user_id, None)
            self._told.pop(socket.user_id, None)

    def tell(self, users: Iterable[int], newest: int = 0) -> None:
        """Poke the pages of these people, unless they were already told to look at least as far as `newest`.

        Ids are in the order of commit (notifications.operations): who looked after `newest` has seen all before it.
        """
        for user_id in users:
            mine = self.sockets.get(user_id)
            if not mine or (newest and self._told.get(user_id, 0) >= newest):
                continue
            if newest:
                self._told[user_id] = newest
            for socket in mine:
                socket.nudge()

    async def stop(self) -> None:
        """End the hub's own jobs (the server closes the sockets)."""
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)

    def _ensure_running(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # another loop: a new server, or the next test. Nothing of the old one is of use.
            self.sockets.clear()
            self._told.clear()
            self._looked, self._jobs, self._loop = None, [], loop
        if not self._jobs or any(job.done() for job in self._jobs):
            for job in self._jobs:
                job.cancel()
            self._jobs = [loop.create_task(self._listen()), loop.create_task(self._watch())]

    async def _listen(self) -> None:
        """Receive pokes and hand them to the sockets; survive a layer that is down."""
        pause = 0.5
        while True:
            try:
                layer = get_channel_layer()
                self._channel = await layer.new_channel()
                await layer.group_add(GROUP, self._channel)
                pause = 0.5
                while True:
                    # Never under a timeout: a cancelled receive() gives up the channel.
                    message = await layer.receive(self._channel)
                    self.tell(message.get("users", ()), message.get("newest", 0))
            except Exception as error:
                self._channel = None
                logger.warning("channel layer lost (%s), trying again in %.1f s", error, pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _watch(self) -> None:
        """Ask the database what the layer cannot be trusted with: who is signed out, and what no push told us."""
        rejoin_at = time.monotonic() + REJOIN_SECONDS
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                if time.monotonic() > rejoin_at and self._channel:
                    # the in-memory layer forgets members of groups after a day
                    rejoin_at = time.monotonic() + REJOIN_SECONDS
                    await get_channel_layer().group_add(GROUP, self._channel)
                await self._look()
            except Exception as error:
                logger.warning("open pages not checked: %s", error)

    async def _look(self) -> None:
        sockets = [socket for mine in self.sockets.values() for socket in mine]
        if not sockets:
            self._looked = None
            return
        look = await sync_to_async(look_up, thread_sensitive=False)(
            {s.user_id for s in sockets}, {s.session_key for s in sockets}, self._looked or 0
        )
        self._looked = look.newest
        for socket in sockets:
            if socket.session_hash not in look.people.get(socket.user_id, ()) or (
                socket.session_key not in look.sessions
            ):
                self._close(socket, SIGNED_OUT)
        for user_id, newest in look.news.items():
            self.tell([user_id], newest)

    def _close(self, socket, code: int) -> None:
        self.leave(socket)
        # not awaited: the closing handshake of one that does not answer takes its time
        self._later(socket.close(code=code))

    def _later(self, work: Coroutine) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task) -> None:
        self._closing.discard(task)
        if not task.cancelled() and task.exception():
            logger.info("socket not closed: %s", task.exception())


def _newest() -> int:
    try:
        return Delivery.objects.aggregate(newest=Max("id"))["newest"] or 0
    finally:
        connections.close_all()


def look_up(user_ids: set[int], session_keys: set[str], after: int) -> Look:
    """One reading of the database for all open pages; runs in a thread of its own."""
    try:
        # first the end, then the rows up to it: what is committed in between is left for the next look
        newest = Delivery.objects.aggregate(newest=Max("id"))["newest"] or 0
        news = {}
        if newest > after:
            news = dict(
                Delivery.objects.filter(id__gt=after, id__lte=newest, recipient__in=user_ids, read_at=None)
                .order_by()
                .values_list("recipient_id")
                .annotate(Max("id"))
            )
        return Look(
            newest=newest,
            news=news,
            people={
                user.pk: frozenset([user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()])
                for user in User.objects.filter(id__in=user_ids, is_active=True).only("password")
            },
            sessions=frozenset(
                Session.objects.filter(session_key__in=session_keys, expire_date__gt=timezone.now()).values_list(
                    "session_key", flat=True
                )
            ),
        )
    finally:
        connections.close_all()


hub = Hub()
