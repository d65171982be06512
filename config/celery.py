"""Celery in production: the same jobs as the embedded loop. A lost message only waits for the next tick."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("zeren")
app.config_from_object("django.conf:settings", namespace="CELERY")


@app.task(name="zeren.run_job")
def run_job(name: str) -> None:
    from django.utils import timezone

    from config.jobs import JOBS

    # the worker's own clock, not the time the message was sent: a late message does all that is due by now
    next(job for job in JOBS if job.name == name).run(timezone.now())


@app.on_after_finalize.connect
def _beat(sender, **_) -> None:
    import django

    django.setup()
    from config.jobs import JOBS

    for job in JOBS:
        # a tick that nobody took in time is worthless: the next one does its work
        sender.add_periodic_task(job.every_seconds, run_job.s(job.name), name=job.name, expires=job.every_seconds)
