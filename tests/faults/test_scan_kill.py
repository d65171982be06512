"""kill -9 of scanning processes, again and again: every due warning is there once, none twice.

Real processes (`manage.py scan --loop`) on a real database: three at once, of which one at a time is killed at a random
instant after it began to work, and replaced.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers import ROOT, die_with_parent

KILLS = 60
SCANNERS = 3
OFFICES, MEMBERS = 10, 3
# more than three scanners get done while sixty of them are killed; the rest is done afterwards
TASKS = 6000
STEPS = ("overdue", "late3", "late7")  # due in March, looked at later: three rungs at once
FILL = f"""
from reports.bench import data
org = data.organisation(offices={OFFICES}, members={MEMBERS})
data.tasks(org, count={TASKS}, late={TASKS})
"""
LEFT = "from tasks.models import Task; print(Task.objects.filter(next_check_at__isnull=False).count())"
VERDICT = f"""
import json
from collections import Counter
from audit.queries import breaks
from notifications.models import Delivery
from tasks.models import OverdueWarning, Task
from tests.faults.invariants import broken_in_bulk
per_task = Counter(OverdueWarning.objects.values_list("task_id", flat=True))
print(json.dumps({{
    "warnings": OverdueWarning.objects.count(),
    "missing": Task.objects.count() - sum(n == {len(STEPS)} for n in per_task.values()),
    "steps": sorted(set(OverdueWarning.objects.values_list("step", flat=True))),
    "deliveries": Delivery.objects.filter(notification__key__startswith="warn:").count(),
    "twice": sum(n - 1 for n in Counter(
        Delivery.objects.filter(notification__key__startswith="warn:").values_list("notification__key", "recipient")
    ).values()),
    "not_pushed": Delivery.objects.filter(sent_at=None).count(),
    "broken": broken_in_bulk(),
    "chain": len(list(breaks())),
}}))
"""


# Starts `manage.py scan --loop` as often as it is asked to. It has Django loaded and forks: sixty starts from nothing
# would take half a minute of pure import, in which a kill hits no work.
FORKER = """
import os, signal, sys
import django
from django.core.management import execute_from_command_line
from tests.servers import die_with_parent
django.setup()
from tasks import scan  # loaded before the first fork
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel forgets the dead: a pid that is gone is dead
with_us = die_with_parent(signal.SIGKILL)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        with_us()
        output = os.open(line.strip(), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1), os.dup2(output, 2)
        execute_from_command_line(
            ["manage.py", "scan", "--loop", "--interval", "0.05", "--limit", "40", "--traceback"]
        )
        print("ended in good order", flush=True)
        os._exit(0)
    print(pid, flush=True)
"""


class Scanners:
    """`manage.py scan --loop`, several at once."""

    def __init__(self, app, directory: Path) -> None:
        self.directory = directory
        self.outputs: dict[int, Path] = {}
        self.running: list[int] = []
        self.forker = subprocess.Popen(
            [sys.executable, "-c", FORKER],
            cwd=ROOT,
            env=app.environment | {"DJANGO_SETTINGS_MODULE": "config.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )

    def start(self) -> None:
        output = self.directory / f"scanner-{len(self.outputs)}.log"
        output.touch()
        self.forker.stdin.write(f"{output}\n")
        self.forker.stdin.flush()
        pid = int(self.forker.stdout.readline())
        self.outputs[pid] = output
        self.running.append(pid)

    def working(self) -> list[int]:
        return [pid for pid in self.running if self.outputs[pid].stat().st_size > 0]

    def end(self, pid: int, signum: int) -> None:
        os.kill(pid, signum)
        self.running.remove(pid)
        until = time.monotonic() + 30
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < until, f"{signum} did not end a scanner: {self.outputs[pid].read_text()}"
            time.sleep(0.001)

    def close(self) -> None:
        for pid in list(self.running):
            self.end(pid, signal.SIGKILL)
        self.forker.stdin.close()
        self.forker.stdout.close()
        self.forker.wait(20)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.timeout(170)
def test_kill_scanners(live_app, tmp_path):
    app = live_app(start=False, env={"LOG_LEVEL": "WARNING"})
    app.shell(FILL)
    scanners = Scanners(app, tmp_path)
    chance = random.Random(20170913)
    began = time.monotonic()
    try:
        for _ in range(SCANNERS):
            scanners.start()
        for _ in range(KILLS):
            time.sleep(chance.random() * 0.15)
            until = time.monotonic() + 30
            while not (ready := scanners.working()):
                assert time.monotonic() < until, "no scanner does anything"
                time.sleep(0.005)
            scanners.end(chance.choice(ready), signal.SIGKILL)
            scanners.start()
        left_after_kills = int(app.shell(LEFT))
        until = time.monotonic() + 60
        while int(app.shell(LEFT)):
            assert time.monotonic() < until, "not caught up a minute after the last kill"
        last = list(scanners.running)
        for pid in last:
            scanners.end(pid, signal.SIGTERM)
    finally:
        scanners.close()
    outputs = {pid: path.read_text() for pid, path in scanners.outputs.items()}
    assert [outputs[pid].splitlines()[-1] for pid in last] == ["ended in good order"] * SCANNERS
    app.manage("scan")  # what the last kill left unpushed
    verdict = json.loads(app.shell(VERDICT))
    print(f"{KILLS} kills in {time.monotonic() - began:.0f} s, {left_after_kills} tasks left after the last")
    assert left_after_kills < TASKS, "nothing was done while the scanners were being killed"
    assert verdict == {
        "warnings": TASKS * len(STEPS),
        "missing": 0,
        "steps": sorted(STEPS),
        "deliveries": TASKS * (MEMBERS + 1),  # and the coordinator
        "twice": 0,
        "not_pushed": 0,
        "broken": [],
        "chain": 0,
    }
    assert [text for text in outputs.values() if "Traceback" in text] == []
