"""Start and stop of the embedded jobs with the server."""

import asyncio

from django.conf import settings

from config.embedded import EmbeddedJobs
from notifications import push
from notifications.hub import hub


class Lifespan:
    """ASGI lifespan: the job thread starts with the server and is joined when it stops."""

    async def __call__(self, scope, receive, send):
        jobs = EmbeddedJobs() if settings.JOBS_ENGINE == "embedded" else None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                push.use_loop(asyncio.get_running_loop())
                if jobs:
                    jobs.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if jobs:
                    await asyncio.to_thread(jobs.stop)
                push.use_loop(None)
                await hub.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return
