"""The embedded engine: one supervised thread that runs the jobs of config.jobs."""

import logging
import threading
import time

from django.db import close_old_connections, connection
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

        due = {job.name: 0.0 for job in JOBS}
        while not self._stop.is_set():
            for job in JOBS:
                if time.monotonic() < due[job.name]:
                    continue
                try:
                    job.run(timezone.now())
                except Exception:
                    logger.exception("job %s failed; it is tried again at its next turn", job.name)
                due[job.name] = time.monotonic() + job.every_seconds
            close_old_connections()
            self._stop.wait(max(0.05, min(due.values()) - time.monotonic()))
        connection.close()
