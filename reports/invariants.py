"""What must always hold, whatever happened: checked after every test of faults, and every night (manage.py verify).

Each invariant reads rows and files and changes nothing. One that cannot be checked counts as broken, and does not keep
the others from being checked.
"""

import hashlib
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.utils import timezone

from accounts.grants import Power, holders, members
from accounts.models import OfficeUserObjectPermission, User
from accounts.queries import groups_of
from assessments.models import Review, Scorecard, SignOff
from assessments.queries import verify_scores
from audit import queries as audit
from audit.models import AuditEntry
from deadlines.calendar import seeded_calendar
from deadlines.ladder import next_step, schedule
from schemes.models import SchemeVersion
from tasks.files import path_of
from tasks.models import OPEN, WITH_OFFICE, Blob, OverdueWarning, Submission, Task, TaskState
from workflow.flows import TaskFlow
from workflow.models import WorkProcess, WorkStep

logger = logging.getLogger("zeren.verify")
# a sweep may be this late without anything being wrong
GRACE = timedelta(minutes=5)
# an upload may be under way this long
UPLOADING = timedelta(hours=24)
KEPT = 1000


@dataclass
class Check:
    """The state of one check: how much was looked at, and what was wrong."""

    at: datetime
    quick: bool = False
    checked: int = 0
    broken: int = 0
    problems: list[str] = field(default_factory=list)

    def problem(self, text: str) -> None:
        self.broken += 1
        if len(self.problems) < KEPT:
            self.problems.append(text)

    def equal(self, what: str, rows: int, entries: int) -> None:
        self.checked += rows
        if rows != entries:
            self.problem(f"{what}:数据 {rows} 条,留痕 {entries} 条")


@dataclass(frozen=True)
class Invariant:
    code: str
    title: str
    run: Callable[[Check], None]


@dataclass(frozen=True)
class Result:
    code: str
    title: str
    checked: int
    broken: int
    problems: list[str]
    seconds: float

    @property
    def holds(self) -> bool:
        return self.broken == 0


def verify(*, at: datetime, quick: bool = False, only: Iterable[str] = ()) -> list[Result]:
    """Check everything, or the named invariants. `quick`: file sizes instead of their digests."""
    wanted = set(only)
    results = []
    for invariant in INVARIANTS:
        if wanted and invariant.code not in wanted:
            continue
        check, began = Check(at=at, quick=quick), time.monotonic()
        try:
            invariant.run(check)
        except Exception as error:
            logger.exception("%s could not be checked", invariant.code)
            check.problem(f"无法检查:{type(error).__name__}: {error}")
        results.append(
            Result(
                invariant.code,
                invariant.title,
                check.checked,
                check.broken,
                check.problems,
                round(time.monotonic() - began, 2),
            )
        )
    return results


# ------------------------------------------------------------------ I1


def warnings_given(check: Check) -> None:
    """Every rung that a task has passed while it was with the office was warned of exactly once, and the next will be.

    While a task was filed nothing fires, and a rung that it was filed just in time for is withdrawn: only tasks that
    are with the office now can lack one.
    """
    calendar, tz = seeded_calendar(), timezone.get_default_timezone()
    given: dict[int, Counter] = defaultdict(Counter)
    known = OverdueWarning.objects.filter(task__state__in=WITH_OFFICE).order_by()
    for task_id, step, due_at in known.values_list("task_id", "step", "due_at").iterator(chunk_size=5000):
        given[task_id][step, due_at] += 1
    rows = Task.objects.filter(state__in=WITH_OFFICE).order_by("id")
    fields = ("id", "state", "due_at", "issued_at", "held_since", "next_check_at")
    for task_id, state, due_at, issued_at, held_since, next_check_at in rows.values_list(*fields).iterator(
        chunk_size=5000
    ):
        since = held_since if state == TaskState.RETURNED else issued_at
        for step, instant in schedule(due_at=due_at, calendar=calendar, tz=tz):
            if not since < instant <= check.at - GRACE:
                continue
            check.checked += 1
            times = given[task_id][step.code, due_at]
            if times != 1:
                check.problem(f"任务 {task_id} 的“{step.code}”预警应有 1 次,实有 {times} 次")
        if next_check_at is None and next_step(due_at=due_at, after=check.at, calendar=calendar, tz=tz):
            check.problem(f"任务 {task_id} 还会到期,却不再有下一次检查")


# ------------------------------------------------------------------ I3


def submissions_whole(check: Check) -> None:
    """Every submission has its files, unchanged; one audit entry; and one completed step of its flow."""
    recorded = Counter(
        detail.get("submission")
        for detail in AuditEntry.objects.filter(verb="task.submitted")
        .order_by()
        .values_list("detail", flat=True)
        .iterator(chunk_size=5000)
    )
    per_task: Counter = Counter()
    filed = Submission.objects.exclude(submitted_at=None).order_by("id")
    for pk, task_id in filed.values_list("id", "task_id").iterator(chunk_size=5000):
        check.checked += 1
        per_task[task_id] += 1
        if recorded[pk] != 1:
            check.problem(f"报送 {pk}(任务 {task_id})应有 1 条留痕,实有 {recorded[pk]} 条")
    steps = Counter(
        task_id
        for task_id in WorkStep.objects.filter(
            status="DONE", process__subject_task__isnull=False, flow_task=TaskFlow.submit
        )
        .order_by()
        .values_list("process__subject_task_id", flat=True)
        .iterator(chunk_size=5000)
    )
    for task_id in sorted(per_task.keys() | steps.keys()):
        if per_task[task_id] != steps[task_id]:
            check.problem(f"任务 {task_id} 报送 {per_task[task_id]} 次,流程完成报送 {steps[task_id]} 次")
    _files(check, Blob.objects.filter(evidence__submission__submitted_at__isnull=False).distinct())


def _files(check: Check, blobs) -> None:
    for sha256, size in blobs.order_by("id").values_list("sha256", "size").iterator(chunk_size=5000):
        check.checked += 1
        path = path_of(sha256)
        try:
            if path.stat().st_size != size:
                check.problem(f"文件 {sha256[:12]}… 大小不符")
            elif not check.quick and digest_of(path) != sha256:
                check.problem(f"文件 {sha256[:12]}… 内容被改动")
        except OSError as error:
            check.problem(f"文件 {sha256[:12]}… 读不到:{error.strerror}")


def digest_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# ------------------------------------------------------------------ I4, I5


def changes_recorded(check: Check) -> None:
    """As many audit entries as changes, kind by kind."""
    entries = Counter(AuditEntry.objects.order_by().values_list("verb", flat=True).iterator(chunk_size=5000))
    reviews = Counter(Review.objects.order_by().values_list("stage", "outcome"))
    for what, key, verb in (
        ("负责人确认", ("confirm", "approved"), "task.confirmed"),
        ("负责人退回", ("confirm", "returned"), "task.declined"),
        ("审核通过", ("review", "approved"), "task.approved"),
        ("审核退回", ("review", "returned"), "task.returned"),
    ):
        check.equal(what, reviews[key], entries[verb])
    check.equal("签收", Task.objects.exclude(accepted_at=None).count(), entries["task.accepted"])
    check.equal("报送", Submission.objects.exclude(submitted_at=None).count(), entries["task.submitted"])
    check.equal("签批", SignOff.objects.count(), entries["scorecard.signed"])
    check.equal("建立得分表", Scorecard.objects.count(), entries["scorecard.opened"])


def chain_holds(check: Check) -> None:
    check.checked = audit.length()
    for found in audit.breaks():
        check.problem(f"第 {found.seq} 条:{found.reason}")


# ------------------------------------------------------------------ I6

NODES = {
    TaskState.ACCEPTED: "submit",
    TaskState.RETURNED: "submit",
    TaskState.CONFIRMING: "confirm",
    TaskState.REVIEWING: "review",
}


def nothing_stuck(check: Check) -> None:
    """Somebody can act on every open task and scorecard, and the flow stands where the row says."""
    today = timezone.localdate(check.at)
    offices = set(Task.objects.filter(state__in=OPEN).order_by().values_list("office_id", flat=True).distinct())
    offices |= set(Scorecard.objects.order_by().values_list("office_id", flat=True))
    people = members(office_ids=offices, on=today)
    heads = members(office_ids=offices, on=today, heads_only=True)
    reviewers = holders(power=Power.REVIEW, office_ids=offices)
    signers = holders(power=Power.SIGN, office_ids=offices)
    filed: dict[int, tuple] = {}
    decided_now = Submission.objects.filter(
        task__state__in=[TaskState.CONFIRMING, TaskState.REVIEWING], submitted_at__isnull=False
    )
    for task_id, submitted_by, confirmed_by in decided_now.order_by("number").values_list(
        "task_id", "submitted_by_id", "confirmed_by_id"
    ):
        filed[task_id] = (submitted_by, confirmed_by)
    open_steps: dict[int, list[str]] = defaultdict(list)
    standing = WorkStep.objects.filter(process__subject_task__isnull=False).exclude(status__in=["DONE", "CANCELED"])
    for task_id, flow_task in standing.order_by().values_list("process__subject_task_id", "flow_task"):
        open_steps[task_id].append(getattr(flow_task, "name", str(flow_task)))
    rows = Task.objects.filter(state__in=OPEN).order_by("id").values_list("id", "state", "office_id", "office__name")
    for task_id, state, office_id, office in rows.iterator(chunk_size=5000):
        check.checked += 1
        submitted_by, confirmed_by = filed.get(task_id, (None, None))
        if state in WITH_OFFICE and not people[office_id]:
            check.problem(f"任务 {task_id}:{office}无人在岗")
        elif state == TaskState.CONFIRMING and not heads[office_id] - {submitted_by}:
            check.problem(f"任务 {task_id}:{office}没有可确认的负责人")
        elif state == TaskState.REVIEWING and not reviewers[office_id] - people[office_id] - {
            submitted_by,
            confirmed_by,
        }:
            check.problem(f"任务 {task_id}:{office}的报送无人可审核")
        expected = [NODES[state]] if state in NODES else []
        if open_steps[task_id] != expected:
            check.problem(f"任务 {task_id}:状态为 {state},流程停在 {'、'.join(open_steps[task_id]) or '(无)'}")
    for card in Scorecard.objects.select_related("office").order_by("id"):
        check.checked += 1
        if card.state == Scorecard.State.FINISHED and not signers[card.office_id] - {card.finished_by_id}:
            check.problem(f"得分表 {card.pk}:{card.office}无人可签批")
        if card.state == Scorecard.State.OPEN and not reviewers[card.office_id] - people[card.office_id]:
            check.problem(f"得分表 {card.pk}:{card.office}无人可评分")
    closed = WorkProcess.objects.filter(subject_task__state=TaskState.APPROVED).exclude(status="DONE")
    for task_id in closed.order_by().values_list("subject_task_id", flat=True):
        check.problem(f"任务 {task_id}:已通过,流程却没有结束")


# ------------------------------------------------------------------ I7


def scores_agree(check: Check) -> None:
    """Every stored score is what its findings give when computed anew."""
    for version in SchemeVersion.objects.filter(scorecards__isnull=False).distinct().order_by("id"):
        check.checked += version.scorecards.count()
        for difference in verify_scores(version):
            check.problem(f"{version.year}年第{version.number}版 {difference}")


# ------------------------------------------------------------------ I8


def nothing_orphaned(check: Check) -> None:
    """No row without its file, no file without its row; no power that the rules do not know."""
    _files(check, Blob.objects.exclude(evidence__submission__submitted_at__isnull=False))
    folder = Path(settings.MEDIA_ROOT) / "evidence"
    known = set(Blob.objects.order_by().values_list("sha256", flat=True))
    for path in sorted(folder.glob("??/??/*")) if folder.exists() else ():
        check.checked += 1
        try:
            young = path.stat().st_mtime > (check.at - UPLOADING).timestamp()
        except FileNotFoundError:
            continue
        if path.name not in known and not young:
            check.problem(f"文件 {path.name[:12]}… 不属于任何材料")
    _powers(check)


def _powers(check: Check) -> None:
    powers = {power.value for power in Power}
    held = OfficeUserObjectPermission.objects.select_related("permission").order_by("id")
    for row in held:
        check.checked += 1
        if row.permission.codename not in powers:
            check.problem(f"人员 {row.user_id} 有不明权限 {row.permission.codename}")
    for name in ("UserObjectPermission", "GroupObjectPermission"):
        if stray := apps.get_model("guardian", name).objects.count():
            check.problem(f"有 {stray} 条不按机构授予的对象权限")
    wide = User.objects.filter(user_permissions__isnull=False) | User.objects.filter(groups__permissions__isnull=False)
    for user in (wide | User.objects.filter(is_superuser=True)).distinct():
        check.problem(f"人员 {user.pk} 有不分机构的权限")
    today = timezone.localdate(check.at)
    for user in User.objects.filter(pk__in=held.values("user_id")).order_by("id"):
        if len(groups_of(user, on=today)) > 1:
            check.problem(f"人员 {user.pk} 兼任了须分设的职责(系统管理、审计、业务)")


INVARIANTS = (
    Invariant("I1", "预警不漏不重", warnings_given),
    Invariant("I3", "报送件、材料、留痕、流程齐全", submissions_whole),
    Invariant("I4", "每次变动都有留痕", changes_recorded),
    Invariant("I5", "留痕链完整", chain_holds),
    Invariant("I6", "没有无人可办的事项", nothing_stuck),
    Invariant("I7", "得分与事实一致", scores_agree),
    Invariant("I8", "没有孤立的文件和权限", nothing_orphaned),
)
