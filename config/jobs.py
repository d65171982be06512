"""Every recurring job, once: the embedded loop and Celery beat both read this table.

A job is a plain idempotent function of the instant. Several may run it at once, and any may be killed: what is due is
derived from database state.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from notifications.operations import deliver_pending
from tasks.files import sweep_partial_files
from tasks.scan import scan


@dataclass(frozen=True)
class Job:
    name: str
    run: Callable[[datetime], object]
    every_seconds: float


JOBS = (
    Job("scan", lambda at: scan(at=at), settings.SCAN_INTERVAL_SECONDS),
    Job("deliver", lambda at: deliver_pending(at=at), settings.SCAN_INTERVAL_SECONDS),
    Job("sweep_files", lambda at: sweep_partial_files(at=at), 3600),
)
