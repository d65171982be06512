"""kill -9 of scanning processes, again and again: every due warning is there once, none twice.

Real processes (`manage.py scan --loop`) on a real database: three at once, of which one at a time is killed at a random
instant after it began to work, and replaced.
"""

import json
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
# about what three scanners get done while sixty of them are killed; whatever is left is finished afterwards
TASKS = 4500
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


class Scanner:
    """One `manage.py scan --loop` of its own."""

    def __init__(self, app, directory: Path, number: int) -> None:
        self.output = directory / f"scanner-{number}.log"
        with self.output.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "scan", "--loop", "--interval", "0.05", "--limit", "40"],
                cwd=ROOT,
                env=app.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )

    @property
    def working(self) -> bool:
        return self.output.stat().st_size > 0

    def end(self, signum: int) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signum)
        return self.process.wait(20)


@pytest.mark.timeout(170)
def test_kill_scanners(live_app, tmp_path):
    app = live_app(start=False, env={"LOG_LEVEL": "WARNING"})
    app.shell(FILL)
    numbers = iter(range(10_000))
    scanners = [Scanner(app, tmp_path, next(numbers)) for _ in range(SCANNERS)]
    everybody = list(scanners)
    chance = random.Random(20170913)
    began = time.monotonic()
    killed = 0
    try:
        while killed < KILLS:
            assert time.monotonic() - began < 100, f"only {killed} kills, last output: {scanners[0].output.read_text()}"
            ready = [scanner for scanner in scanners if scanner.working]
            if not ready:
                time.sleep(0.01)
                continue
            time.sleep(chance.random() * 0.08)
            victim = chance.choice(ready)
            assert victim.end(signal.SIGKILL) == -signal.SIGKILL, victim.output.read_text()
            killed += 1
            scanners.remove(victim)
            scanners.append(Scanner(app, tmp_path, next(numbers)))
            everybody.append(scanners[-1])
        left_after_kills = int(app.shell(LEFT))
        caught_up = time.monotonic() + 60
        while int(app.shell(LEFT)):
            assert time.monotonic() < caught_up, "not caught up a minute after the last kill"
        time.sleep(0.3)
    finally:
        ends = [scanner.end(signal.SIGTERM) for scanner in scanners]
    assert ends == [0] * SCANNERS, "a scanner that is asked to stop ends in good order"
    app.manage("scan")  # what the last kill left unpushed
    verdict = json.loads(app.shell(VERDICT))
    print(f"{killed} kills in {time.monotonic() - began:.0f} s, {left_after_kills} tasks left after the last")
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
    problems = [text for scanner in everybody if "Traceback" in (text := scanner.output.read_text())]
    assert problems == []
