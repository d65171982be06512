"""The hint to open pages that there is something new. Content-free: a page then reads the rows.

A push may be lost, doubled or late and nothing breaks: pages catch up from the database.
"""

import asyncio
import logging
from collections.abc import Iterable

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

logger = logging.getLogger("zeren.push")
GROUP = "zeren.live"
HAND_OVER_SECONDS = 5
PEOPLE_PER_MESSAGE = 2000
_loop: asyncio.AbstractEventLoop | None = None


def use_loop(loop: asyncio.AbstractEventLoop | None) -> None:
    """The server's event loop: other threads must hand their pushes to it."""
    global _loop
    _loop = loop


async def _hand_over(users: list[int], newest: int) -> None:
    layer = get_channel_layer()
    for start in range(0, len(users), PEOPLE_PER_MESSAGE):
        message = {"type": "poke", "users": users[start : start + PEOPLE_PER_MESSAGE], "newest": newest}
        await asyncio.wait_for(layer.group_send(GROUP, message), HAND_OVER_SECONDS)


async def _hand_over_quietly(users: list[int], newest: int) -> None:
    try:
        await _hand_over(users, newest)
    except Exception as error:
        logger.warning("push not sent, pages will catch up: %s", error or type(error).__name__)


def send(user_ids: Iterable[int], *, newest: int = 0) -> None:
    """Hand the push to the channel layer and wait until it has it. Raises if the layer is down. Not for requests.

    `newest` is the id of the newest delivery the push is about: who was told that much already is not told again.
    """
    users = sorted(set(user_ids))
    if not users:
        return
    if _loop is not None and _loop.is_running():
        asyncio.run_coroutine_threadsafe(_hand_over(users, newest), _loop).result(2 * HAND_OVER_SECONDS)
    else:
        async_to_sync(_hand_over)(users, newest)


def poke(user_ids: Iterable[int], *, newest: int = 0) -> None:
    """Tell the open pages of these people to look. Never raises, and in the server never waits."""
    users = sorted(set(user_ids))
    if not users:
        return
    try:
        if _loop is not None and _loop.is_running():
            asyncio.run_coroutine_threadsafe(_hand_over_quietly(users, newest), _loop)
        else:
            async_to_sync(_hand_over_quietly)(users, newest)
    except Exception as error:
        logger.warning("push not sent, pages will catch up: %s", error)


def poke_on_commit(user_ids: Iterable[int], *, newest: int = 0) -> None:
    """Poke once the running transaction has committed (and never if it is rolled back)."""
    users = frozenset(user_ids)
    if users:
        transaction.on_commit(lambda: poke(users, newest=newest), robust=True)
