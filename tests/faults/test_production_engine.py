"""The production arrangement: two web processes, a Celery worker with beat, Redis between them."""

import sys
import time

import pytest

from tests.notifications.live import drain, newest, people, tell
from tests.notifications.test_live import MAKE_LATE

pytestmark = [pytest.mark.redis_only, pytest.mark.postgres_only]


def test_celery_warns_and_redis_carries_it_to_every_process(live_app):
    app = live_app(env={"JOBS_ENGINE": "celery", "SCAN_INTERVAL_SECONDS": "0.5"})
    other = app.sibling()
    clerk = people(app)["clerk"]
    beat = str(app.directory / "beat")
    app.spawn(
        sys.executable, "-m", "celery", "-A", "config.celery", "worker", "--beat", "--schedule", beat,
        "--concurrency", "1", "--loglevel", "WARNING", "--without-gossip", "--without-mingle",
    )  # fmt: skip
    with clerk.socket() as here, clerk.socket(server=other) as there:
        drain(here)
        drain(there)
        last = newest(clerk)
        app.shell(MAKE_LATE.format(user=clerk.pk))
        assert here.recv(timeout=30)
        assert there.recv(timeout=5)
        until = time.monotonic() + 5
        while not (items := clerk.since(last)["items"]):
            assert time.monotonic() < until
        assert [item["level"] for item in items] == ["red"]
        # a push from any other process travels by Redis
        drain(here, 2.5), drain(there, 0.1)
        tell(app, "by-redis", clerk)
        assert here.recv(timeout=5)
        assert there.recv(timeout=5)
