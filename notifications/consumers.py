"""The live channel of an open page: it only ever says “look”; the page then reads its rows."""

import time

from channels.generic.websocket import AsyncWebsocketConsumer

from notifications.hub import hub

MAX_FRAME = 1024
MESSAGES_PER_MINUTE = 100


class LiveConsumer(AsyncWebsocketConsumer):
    """One socket of one logged-in person."""

    user_id: int = 0
    session_key: str = ""

    async def connect(self) -> None:
        user = self.scope.get("user")
        session = self.scope.get("session")
        if user is None or not user.is_authenticated or not user.is_active or not session.session_key:
            await self.close(code=4401)
            return
        self.user_id, self.session_key = user.pk, session.session_key
        self._window, self._received = time.monotonic(), 0
        await self.accept()
        await hub.join(self)
        await self.poke()

    async def disconnect(self, code) -> None:
        hub.leave(self)

    async def receive(self, text_data=None, bytes_data=None) -> None:
        """The page only sends keep-alives; anything long or frequent is a mistake or an attack."""
        now = time.monotonic()
        if now - self._window > 60:
            self._window, self._received = now, 0
        self._received += 1
        if bytes_data is not None or len(text_data or "") > MAX_FRAME or self._received > MESSAGES_PER_MINUTE:
            await self.close(code=1009)

    async def poke(self) -> None:
        try:
            await self.send(text_data='{"type":"poke"}')
        except Exception:
            hub.leave(self)


class Closed(AsyncWebsocketConsumer):
    """Every other websocket address: closed, not a server error."""

    async def connect(self) -> None:
        await self.close(code=4404)
