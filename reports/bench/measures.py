"""What is measured, each as a function of a filled database. Times are wall-clock, in this process."""

import math
import statistics
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

from accounts.actors import Actor
from notifications.models import Delivery
from notifications.operations import deliver_pending
from reports.bench.data import Organisation
from schemes.models import SchemeVersion
from tasks.issuing import issue
from tasks.models import OverdueWarning, Task
from tasks.scan import scan

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


def timed(work: Callable) -> tuple[float, object]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def milliseconds(seconds: list[float]) -> dict[str, float]:
    """p50 and p95 (nearest rank)."""
    ordered = sorted(seconds)
    rank = max(0, math.ceil(0.95 * len(ordered)) - 1)
    return {"p50_ms": round(statistics.median(ordered) * 1000, 2), "p95_ms": round(ordered[rank] * 1000, 2)}


def idle_scan(at: datetime, *, rounds: int) -> dict:
    """A tick that finds nothing: with an instant at which nothing is due yet."""
    scan(at=at)
    return milliseconds([timed(lambda: scan(at=at))[0] for _ in range(rounds)])


def mass_scan(at: datetime) -> dict:
    """One tick that finds everything newly late, with warnings, notifications, audit and commits."""
    seconds, result = timed(lambda: scan(at=at))
    return {
        "tasks": result.rows,
        "warnings": result.warned,
        "deliveries": result.notified,
        "seconds": round(seconds, 3),
        "tasks_per_second": round(result.rows / seconds) if seconds else None,
        "twice": OverdueWarning.objects.count() - result.warned,
    }


def outbox(at: datetime) -> dict:
    """Handing over and stamping everything that waits."""
    seconds, pushed = timed(lambda: deliver_pending(at=at, limit=10_000_000))
    return {
        "deliveries": pushed,
        "seconds": round(seconds, 3),
        "per_second": round(pushed / seconds) if pushed else None,
        "left": Delivery.objects.filter(sent_at=None).count(),
    }


def page(name: str, user, *, rounds: int) -> dict:
    """A page by its name, as this person: p50, p95, queries, size. A page that is not there says so."""
    try:
        address = reverse(name)
    except NoReverseMatch:
        return {"skipped": f"no page named {name}"}
    client = Client(raise_request_exception=False)
    client.force_login(user, backend=MODEL_BACKEND)
    response = client.get(address)
    if response.status_code != 200:
        return {"skipped": f"{address} answered {response.status_code}"}
    with CaptureQueriesContext(connection) as queries:
        client.get(address)
    count = len(queries)  # at once: the next request empties the log
    times = [timed(lambda: client.get(address))[0] for _ in range(rounds)]
    return milliseconds(times) | {"queries": count, "bytes": len(response.content)}


def pages(org: Organisation, *, rounds: int) -> dict:
    return {
        "home": page("home", org.clerk, rounds=rounds),
        "home_coordinator": page("home", org.coordinator, rounds=rounds),
        "late_list": page("workflow:coordination", org.coordinator, rounds=rounds),
        "notifications": page("notifications:list", org.clerk, rounds=rounds),
        "notifications_coordinator": page("notifications:list", org.coordinator, rounds=rounds),
        "since": page("notifications:since", org.clerk, rounds=rounds),
    }


def issuing(version: SchemeVersion) -> dict:
    """A notice becomes tasks: planning, rows, audit, one notification per office, committed."""
    at = version.imported_at + timedelta(hours=1)
    seconds, result = timed(lambda: issue(version=version, actor=Actor.system("性能测量"), at=at))
    return {
        "tasks": result.created,
        "seconds": round(seconds, 3),
        "tasks_per_second": round(result.created / seconds),
    }


def everything(org: Organisation, late_at: datetime, *, rounds: int) -> dict:
    before = late_at - timedelta(seconds=2)
    result = {
        "tasks": Task.objects.count(),
        "idle_scan": idle_scan(before, rounds=rounds),
        "scan": mass_scan(late_at),
        "idle_scan_after": idle_scan(late_at, rounds=rounds),
        "outbox": outbox(late_at),
    }
    return result | {"pages": pages(org, rounds=rounds)}
