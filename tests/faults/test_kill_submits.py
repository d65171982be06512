"""kill -9 of the web process in the middle of submits, again and again: each is done wholly or not at all."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from uuid import uuid4

import pytest

from tests.faults.browsers import Browser, Click, multipart
from tests.servers import ROOT, die_with_parent, free_port

KILLS, SENDERS, TASKS = int(os.environ.get("ZEREN_KILLS", "10")), 3, 400
FILL = f"""
import json
from accounts.actors import Actor
from audit.operations import record
from django.db import transaction
from tests.world import build, make_task
with transaction.atomic():
    w = build()
    clerk = Actor.person(w.own.clerk)
    made = [make_task(w, w.own, "accepted", key=f"k{{n}}") for n in range({TASKS})]
    for task in made:
        record(actor=clerk, at=task.accepted_at, verb="task.accepted", subject=task, office_id=task.office_id)
print(json.dumps([task.pk for task in made]))
"""
VERDICT = """
import json
from collections import Counter
from audit.models import AuditEntry
from notifications.models import Notification
from tasks.files import path_of
from tasks.models import Evidence, Submission, Task
from workflow.models import WorkStep
ids = {ids}
def per(rows, field):
    return dict(Counter(rows.order_by().values_list(field, flat=True)))
filed = per(Submission.objects.filter(task__in=ids, submitted_at__isnull=False), "task_id")
states = dict(Task.objects.filter(pk__in=ids).values_list("pk", "state"))
steps = WorkStep.objects.filter(process__subject_task__in=ids, flow_task__endswith=".submit", status="DONE")
heads = WorkStep.objects.filter(process__subject_task__in=ids, flow_task__endswith=".confirm", status="NEW")
entries = AuditEntry.objects.filter(subject_type="tasks.task", subject_id__in=ids)
files = Evidence.objects.filter(submission__task__in=ids).select_related("blob", "submission")
print(json.dumps({{
    "filed": sorted(filed),
    "most": max(filed.values(), default=0),
    "half": sorted(pk for pk in ids if len({{filed.get(pk, 0), per_task.get(pk, 0), done.get(pk, 0), head.get(pk, 0),
                                            int(states[pk] == "confirming")}}) > 1)
            if (per_task := per(entries.filter(verb="task.submitted"), "subject_id"), done :=
                per(steps, "process__subject_task_id"), head := per(heads, "process__subject_task_id")) else [],
    "told": Notification.objects.filter(kind="confirm").count(),
    "lost_files": [e.pk for e in files if not path_of(e.blob.sha256).is_file()],
    "files": files.count(),
    "file_entries": entries.filter(verb="task.evidence_added").count(),
    "states": sorted(set(states.values())),
}}))
"""
# Serves the application as `uvicorn config.asgi:application` does, as often as it is asked to: it has everything
# loaded and forks, so that twenty starts are not a minute of pure import in which there is nothing to kill.
FORKER = """
import os, signal, sys
import uvicorn
from tests.servers import die_with_parent
import config.asgi
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
with_us = die_with_parent(signal.SIGKILL)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        with_us()
        output = os.open(os.environ["APP_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1), os.dup2(output, 2)
        uvicorn.run(config.asgi.application, host="127.0.0.1", port=int(line), log_level="warning")
        os._exit(0)
    print(pid, flush=True)
"""


class Web:
    """The web process on one port, killed and started again."""

    def __init__(self, app) -> None:
        self.port = app.port = free_port()
        self.pid = 0
        self.forker = subprocess.Popen(
            [sys.executable, "-c", FORKER],
            cwd=ROOT,
            env=app.environment | {"DJANGO_SETTINGS_MODULE": "config.settings", "APP_LOG": str(app.log_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        self.healthy = app._healthy

    def start(self) -> None:
        self.forker.stdin.write(f"{self.port}\n")
        self.forker.stdin.flush()
        self.pid = int(self.forker.stdout.readline())
        until = time.monotonic() + 40
        while not self.healthy():
            assert time.monotonic() < until, "the web process does not come up"
            time.sleep(0.02)

    def kill(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            while Path(f"/proc/{self.pid}").exists():
                time.sleep(0.001)
        self.pid = 0

    def close(self) -> None:
        self.kill()
        self.forker.stdin.close()
        self.forker.stdout.close()
        self.forker.wait(20)


def judged(app, ids: list[int]) -> dict:
    return json.loads(app.shell(VERDICT.format(ids=ids)).splitlines()[-1])


def whole(verdict: dict) -> None:
    """Nothing is there by half or twice."""
    assert verdict["most"] == 1
    assert verdict["half"] == []
    assert verdict["lost_files"] == []
    assert verdict["files"] == verdict["file_entries"]
    assert verdict["told"] == len(verdict["filed"])
    assert set(verdict["states"]) <= {"accepted", "confirming"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.timeout(170)
def test_kill_the_web_process_while_it_takes_reports(live_app):
    app = live_app(start=False, env={"LOG_LEVEL": "WARNING"})
    ids = json.loads(app.shell(FILL).splitlines()[-1])
    web, waiting, lock = Web(app), list(ids), threading.Lock()
    browsers: list[Browser] = []
    answered: list[int] = []
    cut_off: dict[int, Click] = {}
    strange: list[str] = []
    stop = threading.Event()

    def send(browser: Browser) -> None:
        """Reports with a file each, one after the other."""
        while not stop.is_set():
            with lock:
                if not waiting:
                    return
                pk = waiting.pop()
            form = browser.protected({"text": "办理情况", "v0": "96", "revision": "0", "token": uuid4().hex})
            body, kind = multipart(form, f"材料{pk}.txt", f"材料 {pk}\n".encode() * 2000)
            click = Click(browser, f"/work/tasks/{pk}/submit/", body, kind)
            try:
                answer = browser.send("POST", click.path, click.body, click.kind)
            except OSError:
                browser.close()
                cut_off[pk] = click
                time.sleep(0.05)
            except Exception as error:  # http.client: half an answer
                browser.close()
                cut_off[pk] = click
                if type(error).__module__ != "http.client":
                    strange.append(repr(error))
            else:
                (answered if answer.status == 302 else strange).append(
                    pk if answer.status == 302 else answer.text[:300]
                )

    began = time.monotonic()
    chance = random.Random(20171231)
    try:
        web.start()
        browsers += [Browser(app.url, "clerk").log_in() for _ in range(SENDERS)]
        threads = [threading.Thread(target=send, args=[browser]) for browser in browsers]
        for thread in threads:
            thread.start()
        in_the_middle = 0
        for _ in range(KILLS):
            before = len(answered)
            until = time.monotonic() + 20
            while len(answered) == before and time.monotonic() < until and any(t.is_alive() for t in threads):
                time.sleep(0.002)
            time.sleep(chance.random() * 0.12)
            known = len(cut_off)
            web.kill()
            time.sleep(0.02)
            in_the_middle += len(cut_off) > known
            web.start()
        stop.set()
        for thread in threads:
            thread.join(30)
        seconds = time.monotonic() - began
        verdict = judged(app, ids)
        # what got no answer is sent again, the very same form: it counts once, whatever had become of it
        again = [click.browser.send("POST", click.path, click.body, click.kind) for click in cut_off.values()]
    finally:
        stop.set()
        web.close()
        for browser in browsers:
            browser.close()
    print(f"{KILLS} kills in {seconds:.0f} s: {len(answered)} answered, {len(cut_off)} cut off, {in_the_middle} hits")
    assert strange == []
    whole(verdict)
    assert set(answered) <= set(verdict["filed"]), "somebody was told that it is filed, and it is not"
    assert set(verdict["filed"]) <= set(answered) | set(cut_off)
    assert [answer.status for answer in again] == [302] * len(cut_off)
    verdict = judged(app, ids)
    whole(verdict)
    assert set(verdict["filed"]) == set(answered) | set(cut_off)
    assert verdict["files"] == len(verdict["filed"])
    assert in_the_middle >= KILLS // 2, "the kills hit no work"
    app.manage("verify")
