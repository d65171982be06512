"""The live channel of an open page: it only ever says “look”; the page then reads its rows."""

import asyncio
import time

from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth import HASH_SESSION_KEY

from notifications.hub import SIGNED_OUT, hub

MAX_FRAME = 1024
MESSAGES_PER_MINUTE = 100
NOT_FOUND = 4404
TOO_LOUD = 1009


class LiveConsumer(AsyncWebsocketConsumer):
    """One socket of one logged-in person."""

    user_id: int = 0
    session_key: str = ""
    session_hash: str = ""

    async def connect(self) -> None:
        user = self.scope.get("user")
        session = self.scope.get("session")
        if user is None or not user.is_authenticated or not user.is_active or not session.session_key:
            await self.close(code=SIGNED_OUT)
            return
        self.user_id, self.session_key = user.pk, session.session_key
        self.session_hash = session.get(HASH_SESSION_KEY, "")
        self._window, self._received = time.monotonic(), 0
        self._sending: asyncio.Task | None = None
        self._again = False
        await self.accept()
        await hub.join(self)
        self.nudge()

    async def disconnect(self, code) -> None:
        hub.leave(self)

    async def receive(self, text_data=None, bytes_data=None) -> None:
        """The page only sends keep-alives; anything long or frequent is a mistake or an attack."""
        now = time.monotonic()
        if now - self._window > 60:
            self._window, self._received = now, 0
        self._received += 1
        if bytes_data is not None or len(text_data or "") > MAX_FRAME or self._received > MESSAGES_PER_MINUTE:
            await self.close(code=TOO_LOUD)

    def nudge(self) -> None:
        """Say “look”. A line that is slow to take it holds nobody up, and has at most one more waiting."""
        if self._sending is not None and not self._sending.done():
            self._again = True
            return
        self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        try:
            while True:
                self._again = False
                await self.send(text_data='{"type":"poke"}')
                if not self._again:
                    return
        except Exception:
            hub.leave(self)  # the line is gone; the page comes back and catches up


class Closed(AsyncWebsocketConsumer):
    """Every other websocket address: closed, not a server error."""

    async def connect(self) -> None:
        await self.close(code=NOT_FOUND)
