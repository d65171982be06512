"""One tick of the overdue scan by hand, or a scanner of its own beside the server."""

import logging
import signal
import threading

from django.core.management.base import BaseCommand
from django.db import connection
from django.utils import timezone

from notifications.operations import deliver_pending
from tasks.scan import LIMIT, scan

logger = logging.getLogger("zeren.scan")


class Command(BaseCommand):
    requires_system_checks = ()  # started often, and by a supervisor: the server has checked
    help = "逾期扫描:一次,或 --loop 持续运行"

    def add_arguments(self, parser):
        parser.add_argument("--loop", action="store_true", help="持续运行,直到收到 SIGTERM 或 Ctrl-C")
        parser.add_argument("--interval", type=float, default=5.0, help="两次扫描之间的秒数")
        parser.add_argument("--limit", type=int, default=LIMIT, help="一次最多处理的任务数")

    def handle(self, *, loop, interval, limit, **_options):
        if not loop:
            self._tick(limit)
            return
        stop = threading.Event()
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *_: stop.set())
        while not stop.is_set():
            try:
                self._tick(limit)
            except Exception:
                logger.exception("the scan failed; it is tried again at its next turn")
                connection.close()
            stop.wait(interval)

    def _tick(self, limit):
        at = timezone.now()
        result = scan(at=at, limit=limit)
        pushed = deliver_pending(at=at)
        if result.rows or pushed:
            self.stdout.write(
                f"检查 {result.rows} 项,预警 {result.warned} 条,通知 {result.notified} 条,推送 {pushed} 条"
            )
