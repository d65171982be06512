"""One subscription of the channel layer per process, fanned out to this process's sockets.

A subscription per socket costs ten times as much (docs/decisions/0005).
"""

import asyncio
import logging
from collections import defaultdict

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.contrib.sessions.models import Session
from django.db import close_old_connections
from django.utils import timezone

from accounts.models import User
from notifications.push import GROUP

logger = logging.getLogger("zeren.live")
CHECK_SECONDS = 3
RESUBSCRIBE_SECONDS = 60
SOCKETS_PER_USER = 5


class Hub:
    """The sockets of this process, by person. Lives in the server's event loop."""

    def __init__(self) -> None:
        self.sockets: dict[int, list] = defaultdict(list)
        self._tasks: list[asyncio.Task] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    async def join(self, socket) -> None:
        self._ensure_running()
        mine = self.sockets[socket.user_id]
        mine.append(socket)
        if len(mine) > SOCKETS_PER_USER:
            await mine.pop(0).close(code=4008)

    def leave(self, socket) -> None:
        mine = self.sockets.get(socket.user_id, [])
        if socket in mine:
            mine.remove(socket)
        if not mine:
            self.sockets.pop(socket.user_id, None)

    def _ensure_running(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop or any(task.done() for task in self._tasks) or not self._tasks:
            for task in self._tasks:
                if self._loop is loop:
                    task.cancel()
            self._loop = loop
            self._tasks = [loop.create_task(self._listen()), loop.create_task(self._watch())]

    async def _listen(self) -> None:
        """Receive pokes and hand them to the sockets; survive a layer that is down."""
        pause = 0.5
        while True:
            layer = get_channel_layer()
            try:
                channel = await layer.new_channel()
                await layer.group_add(GROUP, channel)
                await self.poke_everybody()
                pause = 0.5
                while True:
                    try:
                        message = await asyncio.wait_for(layer.receive(channel), RESUBSCRIBE_SECONDS)
                    except TimeoutError:
                        # memberships of groups expire, and a restarted server forgets them: join again and catch up
                        await layer.group_add(GROUP, channel)
                        continue
                    await self.poke(message.get("users", ()))
            except asyncio.CancelledError:
                raise
            except Exception as error:
                logger.warning("live channel lost (%s), trying again in %.1f s", error, pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 15)

    async def poke(self, users) -> None:
        for user_id in users:
            for socket in list(self.sockets.get(user_id, ())):
                await socket.poke()

    async def poke_everybody(self) -> None:
        await self.poke(list(self.sockets))

    async def _watch(self) -> None:
        """Close the sockets of people who logged out, expired or were disabled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            sockets = [s for mine in self.sockets.values() for s in mine]
            if not sockets:
                continue
            try:
                alive_users, alive_sessions = await sync_to_async(_alive)(
                    {s.user_id for s in sockets}, {s.session_key for s in sockets}
                )
            except Exception as error:
                logger.warning("sockets not checked: %s", error)
                continue
            for socket in sockets:
                if socket.user_id not in alive_users or socket.session_key not in alive_sessions:
                    await socket.close(code=4401)


def _alive(user_ids: set[int], session_keys: set[str]) -> tuple[set[int], set[str]]:
    try:
        users = set(User.objects.filter(id__in=user_ids, is_active=True).values_list("id", flat=True))
        sessions = set(
            Session.objects.filter(session_key__in=session_keys, expire_date__gt=timezone.now()).values_list(
                "session_key", flat=True
            )
        )
        return users, sessions
    finally:
        close_old_connections()


hub = Hub()
