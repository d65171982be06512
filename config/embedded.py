"""The embedded engine: one supervised thread that runs the jobs of config.jobs."""

import logging
import threading
import time

from django.db import connection
from django.utils import timezone

logger = logging.getLogger("zeren.jobs")


class EmbeddedJobs:
    """Runs each job at its interval until stopped. A job that fails is logged and tried again at its next turn."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self.run, name="zeren-jobs", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(timeout)

    def run(self) -> None:
        from config.jobs import JOBS  # the rooms it names need a ready app registry

        due = dict.fromkeys((job.name for job in JOBS), 0.0)
        while not self._stop.is_set():
            for job in JOBS:
                if time.monotonic() < due[job.name] or self._stop.is_set():
                    continue
                try:
                    job.run(timezone.now())
                except Exception:
                    logger.exception("job %s failed; it is tried again at its next turn", job.name)
                    _give_up_connection()
                due[job.name] = time.monotonic() + job.every_seconds
            self._stop.wait(max(0.05, min(due.values()) - time.monotonic()))
        _give_up_connection()


def _give_up_connection() -> None:
    """The thread keeps one connection between ticks; after an error it may be a dead one, the next tick opens anew."""
    try:
        connection.close()
    except Exception as error:
        logger.warning("connection not closed properly: %s", error)
