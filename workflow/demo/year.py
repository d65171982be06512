"""The year, day by day: who signs for, files, confirms, returns and approves what; which warnings fired on the way.

Nothing is random: each task's story follows from a digest of its key, so that two demonstrations are alike.
"""

import hashlib
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from django.utils import timezone

from accounts.actors import Actor
from accounts.models import User
from assessments import operations as assessments
from assessments.models import Scorecard
from deadlines.recurrence import period_label
from notifications.models import Delivery
from notifications.operations import mark_read
from schemes.models import SchemeVersion, ScoringRule
from tasks.models import Task, TaskState
from tasks.operations import add_evidence
from tasks.scan import scan
from workflow import operations as workflow
from workflow.demo import paper

CLERK = {"综合处": "wangfang", "登记管理处": "lina", "监督协调处": "zhangmin", "机关党支部": "liuyang"}
HEAD = {"综合处": "chengang", "登记管理处": "zhaoqiang", "监督协调处": "zhoutao", "机关党支部": "sunli"}
REVIEWERS = ("zhengkai", "hexue")
RETURN_REASONS = (
    "缺少佐证材料的落款和日期,请补充后重新报送。",
    "完成情况没有写明数量,请对照指标逐项说明。",
    "附件与所属期不符,请更换为本期材料。",
)


@dataclass
class Year:
    """A queue of things that will happen, by instant."""

    version: SchemeVersion
    people: dict[str, User]
    until: datetime
    queue: list[tuple[datetime, int, Callable[[datetime], None]]] = field(default_factory=list)
    counter: itertools.count = field(default_factory=itertools.count)
    done: int = 0

    def at(self, when: datetime, act: Callable[[datetime], None]) -> None:
        if when <= self.until:
            heapq.heappush(self.queue, (when, next(self.counter), act))

    def actor(self, username: str) -> Actor:
        return Actor.person(self.people[username], ip="127.0.0.1")

    # ------------------------------------------------------------ one task

    def plan(self, task: Task) -> None:
        dice = int(hashlib.sha256(task.key.encode()).hexdigest()[:8], 16)
        lot = dice % 100
        clerk = CLERK.get(task.office.name)
        if clerk is None:
            return
        signed_at = task.issued_at + timedelta(days=1 + dice % 4, hours=dice % 7)
        early = task.due_at - timedelta(days=1 + dice % 5)
        yearly = task.by_cycle or (task.due_at - task.issued_at).days > 300
        if yearly:
            # most of the year-end work is still ahead; some offices are early
            if lot >= 80 or not task.by_cycle:
                return
            self.at(signed_at + timedelta(days=dice % 40), lambda at: self.accept(task, clerk, at))
            if lot < 9:  # filed lately: with the head, or with the reviewer
                lately = self.until - timedelta(hours=1 + (dice // 100) % 60)
                self.at(lately, lambda at: self.file(task, clerk, at, dice))
            elif lot < 20:
                self.at(self.until - timedelta(days=2 + dice % 30), lambda at: self.file(task, clerk, at, dice))
            return
        if lot >= 96:
            return  # nobody even signed for it
        self.at(min(signed_at, task.due_at - timedelta(days=1)), lambda at: self.accept(task, clerk, at))
        if lot >= 91:
            return  # signed for, and forgotten
        when = early if lot < 76 else task.due_at + timedelta(days=1 + dice % 4)
        self.at(max(when, signed_at + timedelta(hours=2)), lambda at: self.file(task, clerk, at, dice))

    def accept(self, task: Task, clerk: str, at: datetime) -> None:
        workflow.accept(task_id=task.pk, actor=self.actor(clerk), at=at)
        self.done += 1

    def file(self, task: Task, clerk: str, at: datetime, dice: int, again: bool = False) -> None:
        task.refresh_from_db(fields=["revision", "state"])
        actor = self.actor(clerk)
        label = period_label(task.period)
        if not again:
            rows = [["序号", "事项", "办理情况"], ["1", task.title[:60], "已完成"]]
            add_evidence(
                task_id=task.pk, actor=actor, at=at, upload=paper.spreadsheet(name=f"{label}工作台账.xlsx", rows=rows)
            )
        if dice % 3 == 0 or again:
            add_evidence(
                task_id=task.pk,
                actor=actor,
                at=at,
                upload=paper.pdf(name=f"{label}佐证材料{'(补充)' if again else ''}.pdf", title=f"Evidence {task.pk}"),
            )
        measures = task.clause.measures if task.clause else []
        values = {m["name"]: str(int(float(m["target"])) + dice % 4) for m in measures if m.get("target") and dice % 5}
        text = f"{label}:已按要求开展“{task.title}”相关工作,排查{6 + dice % 9}项,办结{5 + dice % 8}项,情况见附件。"
        if again:
            text += "\n已按审核意见补充落款、日期和数量。"
        workflow.submit(
            task_id=task.pk,
            actor=actor,
            at=at,
            revision=task.revision,
            token=f"demo-{task.pk}-{'2' if again else '1'}",
            text=text,
            values=values,
        )
        self.done += 1
        self.at(at + timedelta(hours=2 + (dice // 7) % 16), lambda t: self.confirm(task, clerk, t, dice, again))

    def confirm(self, task: Task, clerk: str, at: datetime, dice: int, again: bool) -> None:
        task.refresh_from_db(fields=["revision", "state"])
        if task.state == TaskState.CONFIRMING:
            workflow.confirm(
                task_id=task.pk,
                actor=self.actor(HEAD[task.office.name]),
                at=at,
                revision=task.revision,
                outcome="approved",
            )
            self.done += 1
        self.at(at + timedelta(hours=8 + (dice // 11) % 36), lambda t: self.review(task, clerk, t, dice, again))

    def review(self, task: Task, clerk: str, at: datetime, dice: int, again: bool) -> None:
        task.refresh_from_db(fields=["revision", "state"])
        reviewer = self.actor(REVIEWERS[dice % 2])
        if not again and dice % 6 == 0:
            workflow.review(
                task_id=task.pk,
                actor=reviewer,
                at=at,
                revision=task.revision,
                outcome="returned",
                reason=RETURN_REASONS[dice % 3],
                marks=[{"target": "text", "note": "写明数量"}],
            )
            self.at(at + timedelta(days=1 + dice % 6), lambda t: self.file(task, clerk, t, dice, again=True))
        else:
            workflow.review(
                task_id=task.pk, actor=reviewer, at=at, revision=task.revision, outcome="approved", reason=""
            )
        self.done += 1

    # ------------------------------------------------------------ the clock

    def run(self) -> int:
        """Play everything up to `until`, with the overdue scan twice a day as the real clock would."""
        first = timezone.localtime(self.version.issued_at)
        day = first.date()
        while day <= timezone.localtime(self.until).date():
            for moment in (time(0, 1), time(9, 1)):
                self.at(timezone.make_aware(datetime.combine(day, moment)), lambda at: scan(at=at))
            day += timedelta(days=1)
        while self.queue:
            when, _, act = heapq.heappop(self.queue)
            act(when)
        for number, person in enumerate(self.people.values()):
            User.objects.filter(pk=person.pk).update(last_login=self.until - timedelta(hours=3 * number))
            _read_up_to(person, before=self.until - timedelta(days=6), at=self.until)
        return self.done


def _read_up_to(person: User, *, before: datetime, at: datetime) -> None:
    """People have read what is a week old."""
    last = Delivery.objects.filter(recipient=person, notification__at__lt=before).order_by("-id").first()
    if last is not None:
        mark_read(user=person, at=at, up_to_id=last.pk)


def judge(*, year: Year) -> None:
    """Scorecards: late reports become findings; one office is signed, one waits for the leader."""
    version, at = year.version, year.until - timedelta(hours=6)
    cards = {
        card.office.name: card
        for card in workflow.open_scorecards(version=version, actor=year.actor("zhengkai"), at=at)
    }
    reviewer = year.actor("zhengkai")
    _late_reports(year=year, cards=cards, reviewer=reviewer, at=at)
    for name in ("机关党支部", "监督协调处"):
        card = cards[name]
        if card.unresolved:
            assessments.judge_full(
                scorecard=card,
                actor=reviewer,
                at=at,
                token=f"demo-full-{card.pk}",
                source="年度考核资料审查,未发现扣分事项",
            )
        card.refresh_from_db()
        workflow.finish_scorecard(scorecard_id=card.pk, actor=reviewer, at=at, revision=card.revision)
    card = Scorecard.objects.get(pk=cards["机关党支部"].pk)
    workflow.sign_scorecard(
        scorecard_id=card.pk,
        actor=year.actor("majun"),
        at=at + timedelta(hours=1),
        revision=card.revision,
        digest=assessments.digest_of(card),
        password_ok=True,
        opinion="同意",
    )


def _late_reports(*, year: Year, cards: dict[str, Scorecard], reviewer: Actor, at: datetime) -> None:
    """每月5日前报送…未及时上报的,每次扣0.05分: each late report is a finding with its date and source."""
    for task in (
        Task.objects.filter(version=year.version, first_submitted_at__isnull=False, clause__isnull=False)
        .exclude(role="provide")
        .select_related("office", "indicator", "clause")
        .order_by("due_at", "pk")
    ):
        if not task.is_late(at) or task.office.name not in cards:
            continue
        rule = ScoringRule.objects.filter(clause=task.clause, kind="deduct_per_event", quote__contains="上报").first()
        if rule is None:
            continue
        assessments.record_finding(
            scorecard=cards[task.office.name],
            indicator=task.indicator,
            clause=task.clause,
            rule=rule,
            actor=reviewer,
            at=at,
            token=f"demo-late-{task.pk}",
            occurred_on=task.due_date + timedelta(days=1),
            count=1,
            source=_source(task),
            note="未及时上报",
            task=task,
        )


def _source(task: Task) -> str:
    filed = timezone.localtime(task.first_submitted_at)
    return f"系统记录:{period_label(task.period)}应于{task.due_date:%Y-%m-%d}前报送,实际{filed:%Y-%m-%d %H:%M}报送"
