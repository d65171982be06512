"""One task and one scorecard, driven at random by right and wrong people, beside a model in plain Python.

The model says of each step what has to come of it: the new state, or which refusal. After each step the rows must say
what the model says, and the invariants hold. More than the usual: ZEREN_FLOW_EXAMPLES=500 ZEREN_FLOW_STEPS=50. A
failure prints its steps as they were; ZEREN_FLOW_SHRINK=1 looks for the fewest that fail, which takes minutes.
"""

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.actors import Actor
from accounts.errors import BadInput, NotAllowed, NotVisible, Refusal, Stale
from accounts.grants import Power, grant
from accounts.models import Membership, User
from assessments import operations as assessments
from assessments.errors import (
    AlreadyDecided,
    AlreadyVoided,
    CardClosed,
    CardWrongState,
    DigestChanged,
    NoPower,
    OwnOffice,
    SignerInvolved,
    WrongPassword,
)
from assessments.models import Finding, Scorecard
from tasks import operations as tasks
from tasks.errors import AlreadyAccepted, WrongState
from tasks.models import OverdueWarning, Submission, Task
from tasks.scan import scan
from tests.faults.state import broken_chain, unsound
from tests.world import build, person
from workflow import operations as workflow
from workflow.models import WorkProcess, WorkStep

EXAMPLES = int(os.environ.get("ZEREN_FLOW_EXAMPLES", "15"))
STEPS = int(os.environ.get("ZEREN_FLOW_STEPS", "30"))
PHASES = [phase for phase in Phase if phase != Phase.shrink or os.environ.get("ZEREN_FLOW_SHRINK") == "1"]
# the middle of a year whose holidays are known, and time enough until its end
BEGIN = datetime(2026, 6, 15, 10, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
HAND_OVER = {"accepted": "submit", "returned": "submit", "confirming": "confirm", "reviewing": "review"}
CARD_NODE = {"open": "score", "finished": "sign", "signed": "standing"}

MEMBERS = {"clerk", "colleague", "head", "insider"}
REVIEWERS = {"reviewer", "second", "insider", "judge"}  # insider: belongs to the office; judge: may sign as well
SIGNERS = {"leader", "judge"}
READERS = MEMBERS | REVIEWERS | SIGNERS | {"coordinator"}
STRANGERS = {"clerk_other", "reviewer_other", "administrator", "auditor", "disabled"}
PEOPLE = sorted(READERS | STRANGERS)


def who(*right: str):
    """Half of the time somebody who may, half of the time anybody."""
    return st.one_of(st.sampled_from(right), st.sampled_from(PEOPLE))


@dataclass
class Filed:
    by: str
    confirmed_by: str | None
    files: frozenset[int]
    reviews: dict[str, str] = field(default_factory=dict)  # stage → outcome


@dataclass
class Model:
    """What should be true of the task and the scorecard."""

    state: str = "issued"
    revision: int = 0
    accepted_by: str | None = None
    filed: list[Filed] = field(default_factory=list)
    draft: str | None = None  # its text; None: there is no draft
    files: set[int] = field(default_factory=set)
    card: str = "open"
    card_revision: int = 0
    findings: dict[int, list] = field(default_factory=dict)  # pk → [count, voided]
    involved: set[str] = field(default_factory=set)
    finished_by: str | None = None
    signatures: int = 0
    standing: str | None = None

    @property
    def editable(self) -> bool:
        return self.state in ("accepted", "returned")

    @property
    def earned(self) -> Decimal:
        lost = sum((Decimal("0.1") * n for n, voided in self.findings.values() if not voided), Decimal(0))
        return max(Decimal(0), Decimal(5) - lost)


class Work(RuleBasedStateMachine):
    """Each example runs in a transaction that is taken back at its end."""

    @initialize()
    def begin(self) -> None:
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.at = BEGIN
        self.tokens = count(1)
        world = self.world = build(BEGIN)
        own, other = world.own, world.other
        self.users = {name: user.pk for name, user in world.people.items()}
        self.users |= {"clerk_other": other.clerk.pk, "reviewer_other": other.reviewer.pk}
        for name in ("colleague", "insider", "second", "judge"):
            self.users[name] = person(name, f"人员{name}").pk
        for name in ("colleague", "insider"):
            Membership.objects.create(user_id=self.users[name], office=own.office)
        for name, power in (
            ("insider", Power.REVIEW),
            ("second", Power.REVIEW),
            ("judge", Power.REVIEW),
            ("judge", Power.SIGN),
        ):
            grant(user=User.objects.get(pk=self.users[name]), power=power, office=own.office)
        self.task_id, self.card_id = own.tasks["issued"].pk, own.scorecard.pk
        # of the office's other task and of the world's finding
        self.model = Model(involved={"clerk", "head", "reviewer"}, findings={own.finding.pk: [1, False]})

    def teardown(self) -> None:
        if not hasattr(self, "atomic"):
            return
        try:
            scan(at=self.at)
            assert unsound(self.at) == []
            event(f"task {self.model.state} after {len(self.model.filed)} submissions, card {self.model.card}")
        finally:
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)

    # -------------------------------------------------------------- how a step is tried

    def actor(self, name: str) -> Actor:
        return Actor.person(User.objects.get(pk=self.users[name]), ip="127.0.0.1")

    def expect(self, refusal: type[Refusal] | None, operation, **arguments):
        """Do it. Either it works, or it is refused as the model says, in Chinese."""
        raised, result = None, None
        try:
            result = operation(at=self.at, **arguments)
        except Refusal as caught:
            raised = caught
        assert (type(raised) if raised else None) is refusal, f"{raised!r}, expected: {refusal}"
        assert raised is None or any("\u4e00" <= c <= "\u9fff" for c in str(raised)), raised
        return result

    def member_problem(self, name: str) -> type[Refusal] | None:
        if name not in READERS:
            return NotVisible
        return None if name in MEMBERS else NotAllowed

    def assessor_problem(self, name: str) -> type[Refusal] | None:
        if name not in READERS:
            return NotVisible
        if name in MEMBERS:
            return OwnOffice
        return None if name in REVIEWERS else NoPower

    def signer_problem(self, name: str) -> type[Refusal] | None:
        if name not in READERS:
            return NotVisible
        return None if name in SIGNERS else NoPower

    def shown(self, stale: bool, revision: int) -> int:
        return revision - 1 if stale and revision else revision + 7 if stale else revision

    # -------------------------------------------------------------- the office

    @rule(name=who("clerk", "colleague"))
    def accept(self, name: str) -> None:
        m = self.model
        problem = self.member_problem(name)
        again = m.state == "accepted" and m.accepted_by == name
        if problem is None and m.state != "issued" and not again:
            problem = AlreadyAccepted
        self.expect(problem, workflow.accept, task_id=self.task_id, actor=self.actor(name))
        if problem is None and not again:
            m.state, m.accepted_by, m.revision = "accepted", name, m.revision + 1

    @rule(name=who("clerk", "colleague"), text=st.sampled_from(["草稿甲", "草稿乙", ""]))
    def save_draft(self, name: str, text: str) -> None:
        m = self.model
        problem = self.member_problem(name) or (None if m.editable else WrongState)
        self.expect(
            problem,
            tasks.save_draft,
            task_id=self.task_id,
            actor=self.actor(name),
            text=text,
            values={"合格率": "不是数"},
            base=None,
        )
        if problem is None:
            m.draft = text

    @rule(name=who("clerk", "colleague"), number=st.integers(0, 3))
    def attach(self, name: str, number: int) -> None:
        m = self.model
        problem = self.member_problem(name) or (None if m.editable else WrongState)
        upload = SimpleUploadedFile(f"材料{number}.txt", f"材料{number}".encode())
        self.expect(problem, tasks.add_evidence, task_id=self.task_id, actor=self.actor(name), upload=upload)
        if problem is None:
            m.files.add(number)
            m.draft = m.draft or ""

    @rule(
        name=who("clerk", "colleague", "head"),
        stale=st.sampled_from([False, False, False, True]),
        text=st.sampled_from(["已办理", "已办理", "又办理", "  "]),
        value=st.sampled_from(["96", "96.5", "", "九十六点几"]),
        twice=st.booleans(),
    )
    def submit(self, name: str, stale: bool, text: str, value: str, twice: bool) -> None:
        m = self.model
        problem = self.member_problem(name) or (None if m.editable else WrongState)
        if problem is None and stale:
            problem = Stale
        if problem is None and (not text.strip() or value == "九十六点几"):
            problem = BadInput
        sent = {
            "task_id": self.task_id,
            "actor": self.actor(name),
            "revision": self.shown(stale, m.revision),
            "token": f"submit-{next(self.tokens)}",
            "text": text,
            "values": {"合格率": value},
        }
        first = self.expect(problem, workflow.submit, **sent)
        if problem is None:
            own = name if name == "head" else None
            m.filed.append(Filed(name, own, frozenset(m.files)))
            m.involved.add(name)
            m.state, m.revision = ("reviewing" if own else "confirming"), m.revision + 1
            m.draft, m.files = None, set()
            if twice:
                assert self.expect(None, workflow.submit, **sent) == first

    @rule(
        name=who("head"),
        outcome=st.sampled_from(["approved", "approved", "returned", "maybe"]),
        reason=st.sampled_from(["请补充", "请补充", " "]),
        stale=st.sampled_from([False, False, False, True]),
    )
    def confirm(self, name: str, outcome: str, reason: str, stale: bool) -> None:
        problem = NotVisible if name not in READERS else None if name == "head" else NotAllowed
        self.decide(problem, "confirm", workflow.confirm, name, outcome, reason, stale)

    @rule(
        name=who("reviewer", "second", "judge"),
        outcome=st.sampled_from(["approved", "returned", "returned", ""]),
        reason=st.sampled_from(["数据不符", "数据不符", ""]),
        stale=st.sampled_from([False, False, False, True]),
    )
    def review(self, name: str, outcome: str, reason: str, stale: bool) -> None:
        self.decide(self.assessor_problem(name), "review", workflow.review, name, outcome, reason, stale)

    def decide(self, problem, stage: str, operation, name: str, outcome: str, reason: str, stale: bool) -> None:
        m = self.model
        waiting = {"confirm": "confirming", "review": "reviewing"}[stage]
        if problem is None and m.state != waiting:
            problem = AlreadyDecided if m.filed and stage in m.filed[-1].reviews else WrongState
        if problem is None and stale:
            problem = Stale
        if problem is None and (
            outcome not in ("approved", "returned") or (outcome == "returned" and not reason.strip())
        ):
            problem = BadInput
        self.expect(
            problem,
            operation,
            task_id=self.task_id,
            actor=self.actor(name),
            revision=self.shown(stale, m.revision),
            outcome=outcome,
            reason=reason,
        )
        if problem is not None:
            return
        filed = m.filed[-1]
        filed.reviews[stage] = outcome
        m.revision += 1
        if outcome == "returned":
            m.state, m.files = "returned", set(filed.files)
            m.draft = Submission.objects.get(task_id=self.task_id, number=len(m.filed)).text
        elif stage == "confirm":
            m.state, filed.confirmed_by = "reviewing", name
            m.involved.add(name)
        else:
            m.state = "approved"

    # -------------------------------------------------------------- time

    @rule(hours=st.integers(1, 96))
    def time_passes(self, hours: int) -> None:
        self.at += timedelta(hours=hours)

    @rule(times=st.integers(1, 2))
    def scan(self, times: int) -> None:
        for _ in range(times):
            scan(at=self.at)

    # -------------------------------------------------------------- the scorecard

    @rule(name=who("reviewer", "second", "judge"), number=st.integers(1, 30), twice=st.booleans())
    def record_finding(self, name: str, number: int, twice: bool) -> None:
        m = self.model
        problem = self.assessor_problem(name) or (None if m.card == "open" else CardClosed)
        sent = {
            "scorecard": Scorecard.objects.get(pk=self.card_id),
            "indicator": self.world.own.indicator,
            "rule": self.world.own.rule,
            "actor": self.actor(name),
            "token": f"finding-{next(self.tokens)}",
            "occurred_on": timezone.localdate(self.at),
            "count": number,
            "source": "通报",
        }
        found = self.expect(problem, assessments.record_finding, **sent)
        if problem is None:
            m.findings[found.pk] = [number, False]
            m.involved.add(name)
            m.card_revision += 1
            if twice:
                assert self.expect(None, assessments.record_finding, **sent) == found

    @rule(name=who("reviewer", "second", "judge"), pick=st.integers(0, 9), reason=st.sampled_from(["重复", "重复", ""]))
    def void_finding(self, name: str, pick: int, reason: str) -> None:
        m = self.model
        pk = sorted(m.findings)[pick % len(m.findings)]
        problem = self.assessor_problem(name)
        if problem is None and m.findings[pk][1]:
            problem = AlreadyVoided
        if problem is None and m.card != "open":
            problem = CardClosed
        if problem is None and not reason:
            problem = BadInput
        self.expect(
            problem,
            assessments.void_finding,
            finding=Finding.objects.select_related("scorecard").get(pk=pk),
            actor=self.actor(name),
            reason=reason,
        )
        if problem is None:
            m.findings[pk][1] = True
            m.involved.add(name)
            m.card_revision += 1

    @rule(name=who("reviewer", "second", "judge"), stale=st.sampled_from([False, False, True]))
    def finish(self, name: str, stale: bool) -> None:
        m = self.model
        problem = self.assessor_problem(name) or (None if m.card == "open" else CardWrongState)
        if problem is None and stale:
            problem = Stale
        revision = self.shown(stale, m.card_revision)
        self.expect(
            problem, workflow.finish_scorecard, scorecard_id=self.card_id, actor=self.actor(name), revision=revision
        )
        if problem is None:
            m.card, m.finished_by, m.card_revision = "finished", name, m.card_revision + 1

    @rule(name=who("leader"), stale=st.sampled_from([False, False, True]), reason=st.sampled_from(["请核实", ""]))
    def send_back(self, name: str, stale: bool, reason: str) -> None:
        m = self.model
        problem = self.signer_problem(name) or (None if m.card == "finished" else CardWrongState)
        if problem is None:
            problem = Stale if stale else None if reason else BadInput
        self.expect(
            problem,
            workflow.send_back_scorecard,
            scorecard_id=self.card_id,
            actor=self.actor(name),
            revision=self.shown(stale, m.card_revision),
            reason=reason,
        )
        if problem is None:
            m.card, m.finished_by, m.card_revision = "open", None, m.card_revision + 1

    @rule(
        name=who("leader", "leader", "judge"),
        changed=st.sampled_from([False, False, False, True]),
        password=st.sampled_from([True, True, True, False]),
    )
    def sign(self, name: str, changed: bool, password: bool) -> None:
        m = self.model
        problem = self.signer_problem(name)
        if problem is None and name in m.involved | {m.finished_by}:
            problem = SignerInvolved
        if problem is None and m.card != "finished":
            problem = CardWrongState
        if problem is None:
            problem = DigestChanged if changed else None if password else WrongPassword
        digest = assessments.digest_of(Scorecard.objects.get(pk=self.card_id))
        self.expect(
            problem,
            workflow.sign_scorecard,
            scorecard_id=self.card_id,
            actor=self.actor(name),
            revision=m.card_revision,
            digest="0" * 64 if changed else digest,
            password_ok=password,
        )
        if problem is None:
            m.card, m.card_revision, m.signatures, m.standing = "signed", m.card_revision + 1, m.signatures + 1, digest

    @rule(name=who("leader", "judge"), reason=st.sampled_from(["更正", "更正", "  "]))
    def reopen(self, name: str, reason: str) -> None:
        m = self.model
        problem = self.signer_problem(name) or (None if m.card == "signed" else CardWrongState)
        if problem is None and not reason.strip():
            problem = BadInput
        self.expect(
            problem, workflow.reopen_scorecard, scorecard_id=self.card_id, actor=self.actor(name), reason=reason
        )
        if problem is None:
            m.card, m.finished_by, m.standing, m.card_revision = "open", None, None, m.card_revision + 1

    # -------------------------------------------------------------- onwards: chance alone would rarely get far

    @precondition(lambda self: self.model.state != "approved")
    @rule(returned=st.sampled_from([False, False, True]), number=st.integers(0, 3))
    def task_goes_on(self, returned: bool, number: int) -> None:
        outcome = "returned" if returned else "approved"
        if self.model.state == "issued":
            self.accept("clerk")
        elif self.model.editable:
            self.attach("clerk", number)
            self.submit("clerk", False, "已办理", "96", False)
        elif self.model.state == "confirming":
            self.confirm("head", outcome, "请补充", False)
        else:
            self.review("reviewer", outcome, "数据不符", False)

    @rule()
    def card_goes_on(self) -> None:
        if self.model.card == "open":
            self.finish("second", False)
        elif self.model.card == "finished":
            self.sign("leader", False, True)
        else:
            self.reopen("leader", "更正")

    # -------------------------------------------------------------- what must be true after each step

    @invariant()
    def task_is_as_the_model_says(self) -> None:
        m, task = self.model, Task.objects.get(pk=self.task_id)
        assert (task.state, task.revision) == (m.state, m.revision)
        rows = list(task.submissions.order_by("number"))
        drafts = [row for row in rows if row.submitted_at is None]
        filed = [row for row in rows if row.submitted_at is not None]
        assert [row.text for row in drafts] == ([] if m.draft is None else [m.draft])
        assert [row.submitted_by_id for row in filed] == [self.users[known.by] for known in m.filed]
        assert [row.confirmed_by_id for row in filed] == [self.users.get(known.confirmed_by) for known in m.filed]
        names = [{f"材料{n}.txt" for n in known.files} for known in m.filed] + [{f"材料{n}.txt" for n in m.files}]
        stored = [{e.name for e in row.evidence.all()} for row in [*filed, *drafts]]
        assert stored == names[: len(stored)]
        assert [{r.stage: r.outcome for r in row.reviews.all()} for row in filed] == [k.reviews for k in m.filed]
        if m.state not in ("issued", "accepted", "returned"):
            assert task.next_check_at is None
        warned = OverdueWarning.objects.filter(task=task).values_list("step", flat=True)
        assert len(warned) == len(set(warned))

    @invariant()
    def card_is_as_the_model_says(self) -> None:
        m, card = self.model, Scorecard.objects.get(pk=self.card_id)
        assert (card.state, card.revision, card.earned, card.unresolved) == (m.card, m.card_revision, m.earned, 0)
        assert card.finished_by_id == self.users.get(m.finished_by)
        standing = card.signatures.filter(withdrawn_at=None)
        assert [s.digest for s in standing] == ([m.standing] if m.standing else [])
        assert card.signatures.count() == m.signatures
        if m.standing:
            assert assessments.signature_stands(card)
        assert dict(card.findings.filter(voided_at=None).values_list("pk", "count")) == {
            pk: Decimal(n) for pk, (n, voided) in m.findings.items() if not voided
        }

    @invariant()
    def flows_stand_where_the_rows_say(self) -> None:
        m = self.model
        process = WorkProcess.objects.filter(subject_task_id=self.task_id).first()
        if m.state == "issued":
            assert process is None
        else:
            assert self.open_steps(process) == ([] if m.state == "approved" else [HAND_OVER[m.state]])
            assert process.status == ("DONE" if m.state == "approved" else "NEW")
        assert self.open_steps(WorkProcess.objects.get(scorecard_id=self.card_id)) == [CARD_NODE[m.card]]

    def open_steps(self, process: WorkProcess) -> list[str]:
        rows = WorkStep.objects.filter(process=process).exclude(status__in=["DONE", "CANCELED"])
        return [row.flow_task.name for row in rows]

    @invariant()
    def the_trail_holds(self) -> None:
        assert broken_chain() == []


@pytest.mark.django_db
@pytest.mark.timeout(60 + EXAMPLES * STEPS)
def test_one_task_and_one_scorecard_in_any_order():
    run_state_machine_as_test(
        Work,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            phases=PHASES,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
