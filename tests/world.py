"""A small made-up organisation for tests of any room: two offices that must not see each other, and their people.

    from tests.world import world  # noqa: F401  (or once in the folder's conftest.py)

    def test_x(world):
        page = world.client("clerk").get(f"/work/tasks/{world.own.tasks['issued'].pk}/")

`world.own` and `world.other` are alike. Roles `clerk`, `head`, `reviewer` belong to `own`; `coordinator`, `leader`,
`administrator`, `auditor` hold their power at the root; `disabled` was a clerk of `own`; `anonymous` is nobody. Every
text of an office's business holds its `marker`: found in an answer to somebody who may not read that office, it is a
leak.

Only model rows, none of the operations (but the points, which are computed): what it stands for is what the operations
are meant to leave behind, and `manage.py verify` finds nothing to complain about.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts.actors import Actor
from accounts.grants import Power, fresh_scope, grant
from accounts.models import Membership, Office, User
from assessments.models import Finding, Scorecard, ScoreEntry
from assessments.operations.recompute import computed, totals_of
from assessments.rows import load_rows
from audit.operations import record
from deadlines.calendar import seeded_calendar
from deadlines.ladder import first_check
from notifications.models import Delivery, Notification
from schemes.models import Clause, Deadline, Indicator, Responsibility, Scheme, SchemeVersion, ScoringRule, Section
from scoring.rules import parse_rule, rule_digest
from tasks.files import path_of
from tasks.models import Blob, Evidence, Submission, Task, TaskState
from workflow.flows import ScorecardFlow, TaskFlow
from workflow.models import WorkProcess, WorkStep

PASSWORD = "Zeren-Test-2026"
ROLES = (
    "anonymous",
    "disabled",
    "clerk",
    "head",
    "reviewer",
    "coordinator",
    "leader",
    "administrator",
    "auditor",
)
# one task in each of these states per office
STATES = ("issued", "accepted", "confirming", "reviewing")


@dataclass
class Side:
    """One office with its people and its business."""

    key: str
    marker: str
    office: Office
    clerk: User
    head: User
    reviewer: User
    indicator: Indicator  # the row that this office alone answers for
    clause: Clause
    rule: ScoringRule
    deadline: Deadline
    tasks: dict[str, Task] = field(default_factory=dict)
    submission: Submission | None = None  # filed, of tasks["reviewing"]
    evidence: Evidence | None = None  # of that submission
    draft: Submission | None = None  # of tasks["accepted"]
    draft_evidence: Evidence | None = None
    scorecard: Scorecard | None = None
    finding: Finding | None = None
    notification: Notification | None = None  # to the clerk
    membership: Membership | None = None  # the clerk's

    @property
    def task(self) -> Task:
        return self.tasks["issued"]

    @property
    def delivery(self) -> Delivery:
        return Delivery.objects.get(notification=self.notification, recipient=self.clerk)


@dataclass
class World:
    now: datetime
    root: Office
    own: Side
    other: Side
    people: dict[str, User]
    version: SchemeVersion

    @property
    def indicator(self) -> Indicator:
        return self.own.indicator

    @property
    def clause(self) -> Clause:
        return self.own.clause

    @property
    def rule(self) -> ScoringRule:
        return self.own.rule

    @property
    def deadline(self) -> Deadline:
        return self.own.deadline

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.own, self.other

    def user(self, role: str) -> User | None:
        """The person of a role (None: anonymous). Read anew, so that no scope is remembered."""
        return None if role == "anonymous" else User.objects.get(pk=self.people[role].pk)

    def actor(self, role: str) -> Actor:
        return Actor.person(self.user(role), ip="127.0.0.1")

    def client(self, role: str, **options) -> Client:
        """A browser with that person logged in (the disabled one: logged in before being disabled)."""
        client = Client(**options)
        if role != "anonymous":
            client.force_login(self.people[role], backend="django.contrib.auth.backends.ModelBackend")
        return client

    def readable(self, role: str) -> list[Side]:
        """The offices whose business this role may read."""
        scope = fresh_scope(self.user(role) or AnonymousUser())
        return [side for side in self.sides if side.office.pk in scope.readable]

    def foreign_markers(self, role: str) -> list[str]:
        """What must not appear in any answer to this role."""
        readable = self.readable(role)
        return [side.marker for side in self.sides if side not in readable]


def person(username: str, name: str, **fields) -> User:
    user = User(username=username, name=name, **fields)
    user.set_password(PASSWORD)
    user.save()
    return user


def build(now: datetime | None = None) -> World:
    """The rows, around the instant `now`. Everything is due ten days later: nothing is late, no warning was given."""
    now = now or timezone.now()
    today = timezone.localdate(now)
    with transaction.atomic():
        root = Office.objects.create(name="世界委员会")
        people = {
            "disabled": person("disabled", "已停用人员", is_active=False),
            "coordinator": person("coordinator", "统筹员甲"),
            "leader": person("leader", "分管领导甲"),
            "administrator": person("administrator", "系统管理员甲"),
            "auditor": person("auditor", "审计员甲"),
        }
        for role, power in (
            ("coordinator", Power.COORDINATE),
            ("leader", Power.SIGN),
            ("administrator", Power.ADMINISTER),
            ("auditor", Power.AUDIT),
        ):
            grant(user=people[role], power=power, office=root)
        version, section = _scheme(root, now)
        sides = []
        for position, (key, office_name, marker) in enumerate(
            [("own", "甲测试处", "标记甲ZQOWN"), ("other", "乙测试处", "标记乙ZQOTHER")]
        ):
            suffix = "" if key == "own" else "_other"
            office = Office.objects.create(name=office_name, parent=root, position=position)
            side = Side(
                key=key,
                marker=marker,
                office=office,
                **_row(section, office, position),
                clerk=person(f"clerk{suffix}", f"{office_name}经办人"),
                head=person(f"head{suffix}", f"{office_name}负责人"),
                reviewer=person(f"reviewer{suffix}", f"{office_name}审核人"),
            )
            side.membership = Membership.objects.create(user=side.clerk, office=side.office)
            Membership.objects.create(user=side.head, office=side.office, role=Membership.Role.HEAD)
            grant(user=side.reviewer, power=Power.REVIEW, office=side.office)
            sides.append(side)
        own, other = sides
        Membership.objects.create(user=people["disabled"], office=own.office)
        people |= {"clerk": own.clerk, "head": own.head, "reviewer": own.reviewer}
        world = World(now, root, own, other, people, version)
        for side in sides:
            _business(world, side, today)
    return world


def _scheme(root: Office, now: datetime):
    today = timezone.localdate(now)
    scheme = Scheme.objects.create(key="world", title="世界考核方案")
    version = SchemeVersion.objects.create(
        scheme=scheme,
        year=today.year,
        number=1,
        status=SchemeVersion.Status.ISSUED,
        title=f"{today.year}年度世界考核方案",
        issuer="世界委员会",
        issued_on=today,
        points=Decimal("10"),
        digest="0" * 64,
        reporting_cycle={"kind": "quarterly", "quote": "按季报送"},
        unit=root,
        imported_at=now - timedelta(days=2),
        issued_at=now - timedelta(days=1),
    )
    section = Section.objects.create(
        version=version, position=0, no="一", title="工作目标", points=Decimal("10"), line=1
    )
    return version, section


def _row(section: Section, office: Office, position: int) -> dict:
    """A row of the breakdown with one clause, its rule and its deadline, for which one office answers."""
    indicator = Indicator.objects.create(
        version=section.version,
        section=section,
        position=position,
        code=f"1.{position + 1}",
        path=["年度重点工作", ("数据质量", "数据安全")[position]],
        points=Decimal("5"),
        line=2 + 2 * position,
        points_line=2 + 2 * position,
    )
    clause = Clause.objects.create(
        indicator=indicator,
        position=0,
        no=1,
        line=3 + 2 * position,
        text="1.按季报送数据质量情况;发现数据错误的,每起扣0.1分(5)",
        points=Decimal("5"),
        measures=[{"name": "合格率", "unit": "%", "target": "95", "at_least": True, "quote": "数据质量"}],
    )
    params = {"kind": "deduct_per_event", "id": "error", "quote": "每起扣0.1分", "amount": "0.1", "unit": "起"}
    rule = ScoringRule.objects.create(
        indicator=indicator,
        clause=clause,
        position=0,
        code="error",
        kind=params["kind"],
        quote=params["quote"],
        params=params,
        digest=rule_digest(parse_rule(params)),
    )
    deadline = Deadline.objects.create(
        indicator=indicator,
        clause=clause,
        position=0,
        kind="quarterly",
        quote="按季报送",
        params={"kind": "quarterly", "quote": "按季报送", "what": "数据质量情况"},
    )
    Responsibility.objects.create(
        indicator=indicator,
        position=0,
        name=office.name,
        office=office,
        role=Responsibility.Role.RESPONSIBLE,
    )
    return {"indicator": indicator, "clause": clause, "rule": rule, "deadline": deadline}


def make_task(world: World, side: Side, state: str = "issued", *, key: str = "", **fields) -> Task:
    """A further task of an office, due in ten days."""
    now, today = world.now, timezone.localdate(world.now)
    due_at = fields.pop("due_at", now + timedelta(days=10))
    issued_at = fields.pop("issued_at", now - timedelta(days=1))
    with_office = state in ("issued", "accepted", "returned")
    filed = state in ("confirming", "reviewing", "returned", "approved")
    task = Task.objects.create(
        **{
            "key": f"world:{side.key}:{key or state}",
            "version": world.version,
            "indicator": side.indicator,
            "clause": side.clause,
            "deadline": side.deadline,
            "office": side.office,
            "role": Responsibility.Role.RESPONSIBLE,
            "title": f"{side.marker}报送数据质量情况({state})",
            "quote": "按季报送",
            "period": f"{today.year}Q{(today.month + 2) // 3}",
            "starts_on": date(today.year, 1, 1),
            "ends_on": date(today.year, 12, 31),
            "due_date": timezone.localdate(due_at),
            "due_at": due_at,
            "points": Decimal("5"),
            "state": TaskState(state),
            "issued_at": issued_at,
            "accepted_at": None if state == "issued" else now - timedelta(hours=20),
            "accepted_by": None if state == "issued" else side.clerk,
            "first_submitted_at": now - timedelta(hours=10) if filed else None,
            "held_since": now - timedelta(hours=10),
            "next_check_at": first_check(
                due_at=due_at,
                issued_at=issued_at,
                calendar=seeded_calendar(),
                tz=timezone.get_default_timezone(),
            )
            if with_office
            else None,
        }
        | fields
    )
    if state != "issued":
        process = WorkProcess.objects.create(flow_class=TaskFlow, subject_task=task)
        steps = {
            "accepted": ["accept", "submit"],
            "returned": ["accept", "submit", "submit"],
            "confirming": ["accept", "submit", "confirm"],
            "reviewing": ["accept", "submit", "review"],
            "approved": ["accept", "submit", "review", "end"],
        }[state]
        _steps(process, TaskFlow, steps, finished=state == "approved", at=now)
    return task


def _steps(process: WorkProcess, flow, names: list[str], *, finished: bool, at: datetime) -> None:
    previous = None
    for name in names:
        done = finished or name != names[-1] or names.index(name) != len(names) - 1
        step = WorkStep.objects.create(
            process=process,
            flow_task=getattr(flow, name),
            flow_task_type=getattr(flow, name).task_type,
            status="DONE" if done else "NEW",
            created=at - timedelta(hours=20),
            started=at - timedelta(hours=20) if done else None,
            finished=at - timedelta(hours=10) if done else None,
        )
        if previous is not None:
            step.previous.add(previous)
        previous = step
    if finished:
        process.status, process.finished = "DONE", at
        process.save()


def make_submission(world: World, side: Side, task: Task, *, filed: bool = True, number: int = 1) -> Submission:
    at = world.now - timedelta(hours=10)
    return Submission.objects.create(
        task=task,
        number=number,
        text=f"{side.marker}完成情况:已按要求办理。",
        values={"合格率": "96"},
        saved_at=at,
        saved_by=side.clerk,
        submitted_at=at if filed else None,
        submitted_by=side.clerk if filed else None,
        confirmed_at=at if filed and task.state != TaskState.CONFIRMING else None,
        confirmed_by=side.head if filed and task.state != TaskState.CONFIRMING else None,
        token=f"world-{task.pk}-{number}" if filed else None,
    )


def make_evidence(world: World, side: Side, submission: Submission, *, name: str = "说明") -> Evidence:
    """A text file on the disk, and its rows."""
    content = f"{side.marker}佐证材料 {name}\n".encode()
    digest = hashlib.sha256(content).hexdigest()
    path = path_of(digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    blob, _ = Blob.objects.get_or_create(
        sha256=digest, defaults={"size": len(content), "content_type": "text/plain", "stored_at": submission.saved_at}
    )
    return Evidence.objects.create(
        submission=submission,
        blob=blob,
        name=f"{side.marker}{name}.txt",
        added_at=submission.saved_at,
        added_by=side.clerk,
    )


def _business(world: World, side: Side, today: date) -> None:
    for state in STATES:
        side.tasks[state] = make_task(world, side, state)
    side.draft = make_submission(world, side, side.tasks["accepted"], filed=False)
    side.draft_evidence = make_evidence(world, side, side.draft, name="草稿")
    clerk, reviewer = Actor.person(side.clerk, ip="127.0.0.1"), Actor.person(side.reviewer, ip="127.0.0.1")
    for state in STATES[1:]:
        task = side.tasks[state]
        record(actor=clerk, at=task.accepted_at, verb="task.accepted", subject=task, office_id=side.office.pk)
    for state in ("confirming", "reviewing"):
        submission = make_submission(world, side, side.tasks[state])
        evidence = make_evidence(world, side, submission)
        record(
            actor=clerk,
            at=submission.submitted_at,
            verb="task.submitted",
            subject=side.tasks[state],
            office_id=side.office.pk,
            detail={"number": 1, "submission": submission.pk, "files": [evidence.blob.sha256]},
        )
        if state == "reviewing":
            side.submission, side.evidence = submission, evidence
    side.scorecard = Scorecard.objects.create(
        version=world.version, office=side.office, max_points=Decimal("5"), held_since=world.now
    )
    record(
        actor=Actor.system("测试"),
        at=world.now,
        verb="scorecard.opened",
        subject=side.scorecard,
        office_id=side.office.pk,
    )
    process = WorkProcess.objects.create(flow_class=ScorecardFlow, scorecard=side.scorecard)
    _steps(process, ScorecardFlow, ["open", "score"], finished=False, at=world.now)
    side.finding = Finding.objects.create(
        scorecard=side.scorecard,
        indicator=side.indicator,
        clause=side.clause,
        rule=side.rule,
        task=side.tasks["reviewing"],
        occurred_on=today,
        count=Decimal("1"),
        note=f"{side.marker}数据错误一起",
        source="数据质量检查通报",
        recorded_by=side.reviewer,
        recorded_at=world.now,
        token=f"world-finding-{side.key}",
    )
    record(
        actor=reviewer,
        at=world.now,
        verb="finding.recorded",
        subject=side.finding,
        office_id=side.office.pk,
        detail={"summary": "数据错误 1 起", "source": side.finding.source},
    )
    _entries(side)
    side.notification = Notification.objects.create(
        key=f"world:{side.key}",
        kind="task",
        title=f"{side.marker}新任务已下达",
        url=f"/work/tasks/{side.tasks['issued'].pk}/",
        at=world.now,
    )
    Delivery.objects.create(notification=side.notification, recipient=side.clerk, sent_at=world.now)


def _entries(side: Side) -> None:
    """The scorecard's entries and totals, as computed from its findings."""
    card = side.scorecard
    (row,) = load_rows(side.indicator.version, [side.indicator.pk])
    results = row.results([side.finding])
    for slot in row.slots():
        ScoreEntry.objects.create(
            scorecard=card,
            indicator=side.indicator,
            clause=slot.clause,
            shared=slot.shared,
            max_points=slot.max_points,
            computed_at=card.held_since,
            **computed(results[slot.clause_id]),
        )
    card.max_points, card.earned, card.unresolved = totals_of(card.entries.all())
    card.save()


@pytest.fixture
def world(db) -> World:
    """Two offices with people, a scheme, tasks, evidence and scorecards; see the module."""
    return build()
