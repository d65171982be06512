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
_loop: asyncio.AbstractEventLoop | None = None


def use_loop(loop: asyncio.AbstractEventLoop | None) -> None:
    """The server's event loop: other threads must hand their pushes to it."""
    global _loop
    _loop = loop


def poke(user_ids: Iterable[int]) -> None:
    """Tell the open pages of these people to look. Never raises: the row is the truth."""
    users = sorted(set(user_ids))
    if not users:
        return
    layer = get_channel_layer()
    message = {"type": "poke", "users": users}
    try:
        if _loop is not None and _loop.is_running():
            asyncio.run_coroutine_threadsafe(layer.group_send(GROUP, message), _loop)
        else:
            async_to_sync(layer.group_send)(GROUP, message)
    except Exception as error:
        logger.warning("push not sent, pages will catch up: %s", error)


def poke_on_commit(user_ids: Iterable[int]) -> None:
    """Poke once the running transaction has committed (and never if it is rolled back)."""
    users = set(user_ids)
    transaction.on_commit(lambda: poke(users), robust=True)
