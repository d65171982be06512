"""The database fails after the first, the second … the last statement of each operation: nothing of it is left.

A failure is an error of the connection, raised after the statement was carried out. Afterwards every table must be as
before, the audit chain whole, and no row without its file. At the end the operation is let through, and everything
that `manage.py verify` checks must hold.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from viewflow.workflow.exceptions import FlowLockFailed

from accounts.actors import Actor
from accounts.grants import Power, grant
from accounts.models import Membership, Office
from assessments import operations as assessments
from assessments.models import Finding, Scorecard
from audit.operations import record
from schemes.models import SchemeVersion
from schemes.operations import import_document
from tasks import operations as tasks
from tasks.issuing import assign_extra, issue
from tasks.models import Evidence
from tests.faults.state import broken_chain, changed, contents, files, unsound, wrong_files
from tests.notices import SMALL, read
from tests.world import World, make_submission, make_task, person
from workflow import operations as workflow

PATIENCE = 400


class Cut(OperationalError):
    """The connection to the database is gone."""


@dataclass
class FailAfter:
    """An execute wrapper that fails once, after the statement of that number."""

    number: int
    seen: int = 0

    def __call__(self, execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if not sql.startswith("BEGIN"):  # without its answer Django would not know that a transaction is open
            self.seen += 1
            if self.seen == self.number:
                raise Cut(f"after statement {self.number}: {sql[:200]}")
        return result


def failures(operation: Callable[[], object]) -> Iterator[Cut | FlowLockFailed]:
    """Let the operation fail after each of its statements in turn; ends when it got through."""
    for number in range(1, PATIENCE):
        try:
            with connection.execute_wrapper(FailAfter(number)):
                operation()
        except (Cut, FlowLockFailed) as failure:  # the flow's lock says it in its own words
            yield failure
        else:
            return
    raise AssertionError(f"more than {PATIENCE} statements")


# ------------------------------------------------------------------ the operations


def accept(world: World):
    task = world.own.tasks["issued"]
    return lambda: workflow.accept(task_id=task.pk, actor=world.actor("clerk"), at=world.now)


def save_draft(world: World):
    task = make_task(world, world.own, "accepted", key="new")
    _recorded(world, task)
    return lambda: tasks.save_draft(
        task_id=task.pk, actor=world.actor("clerk"), at=world.now, text="草稿", values={"合格率": "9"}, base=None
    )


def submit(world: World):
    task = world.own.tasks["accepted"]
    return lambda: workflow.submit(
        task_id=task.pk,
        actor=world.actor("clerk"),
        at=world.now,
        revision=0,
        token="one",
        text="已办理",
        values={"合格率": "96"},
    )


def submit_to_the_reviewer(world: World):
    Membership.objects.filter(user=world.own.head).delete()
    return submit(world)


def confirm(world: World):
    task = world.own.tasks["confirming"]
    return lambda: workflow.confirm(
        task_id=task.pk, actor=world.actor("head"), at=world.now, revision=0, outcome="approved"
    )


def decline(world: World):
    task = world.own.tasks["confirming"]
    return lambda: workflow.confirm(
        task_id=task.pk, actor=world.actor("head"), at=world.now, revision=0, outcome="returned", reason="请补充"
    )


def approve(world: World):
    task = world.own.tasks["reviewing"]
    return lambda: workflow.review(
        task_id=task.pk, actor=world.actor("reviewer"), at=world.now, revision=0, outcome="approved"
    )


def send_task_back(world: World):
    task = world.own.tasks["reviewing"]
    return lambda: workflow.review(
        task_id=task.pk,
        actor=world.actor("reviewer"),
        at=world.now,
        revision=0,
        outcome="returned",
        reason="数据不符",
        marks=[{"target": "text", "note": "写明数量"}],
    )


def record_finding(world: World):
    return lambda: assessments.record_finding(
        scorecard=Scorecard.objects.get(pk=world.own.scorecard.pk),
        indicator=world.own.indicator,
        rule=world.own.rule,
        actor=world.actor("reviewer"),
        at=world.now,
        token="one",
        occurred_on=timezone.localdate(world.now),
        count=2,
        source="通报",
    )


def void_finding(world: World):
    return lambda: assessments.void_finding(
        finding=Finding.objects.get(pk=world.own.finding.pk), actor=world.actor("reviewer"), at=world.now, reason="重复"
    )


def _card(world: World) -> Scorecard:
    return Scorecard.objects.get(pk=world.own.scorecard.pk)


def finish(world: World):
    return lambda: workflow.finish_scorecard(
        scorecard_id=_card(world).pk, actor=world.actor("reviewer"), at=world.now, revision=0
    )


def sign(world: World):
    finish(world)()
    return lambda: workflow.sign_scorecard(
        scorecard_id=_card(world).pk,
        actor=world.actor("leader"),
        at=world.now,
        revision=1,
        digest=assessments.digest_of(_card(world)),
        password_ok=True,
        opinion="同意",
    )


def send_card_back(world: World):
    finish(world)()
    return lambda: workflow.send_back_scorecard(
        scorecard_id=_card(world).pk, actor=world.actor("leader"), at=world.now, revision=1, reason="请核实"
    )


def reopen(world: World):
    sign(world)()
    return lambda: workflow.reopen_scorecard(
        scorecard_id=_card(world).pk, actor=world.actor("leader"), at=world.now, reason="更正"
    )


def add_evidence(world: World):
    task = world.own.tasks["accepted"]
    return lambda: tasks.add_evidence(
        task_id=task.pk,
        actor=world.actor("clerk"),
        at=world.now,
        upload=SimpleUploadedFile("新材料.txt", "新材料".encode()),
    )


def remove_evidence(world: World):
    pk = world.own.draft_evidence.pk
    return lambda: tasks.remove_evidence(evidence_id=pk, actor=world.actor("clerk"), at=world.now)


def issue_notice(world: World):
    version = import_document(document=read(SMALL), actor=Actor.system("test"), at=world.now)
    for number, office in enumerate(Office.objects.filter(parent__name="甲局")):
        Membership.objects.create(user=person(f"small{number}", f"小处{number}"), office=office, role="head")
    grant(user=world.people["coordinator"], power=Power.COORDINATE, office=version.unit)
    return lambda: issue(
        version=SchemeVersion.objects.get(pk=version.pk), actor=world.actor("coordinator"), at=world.now
    )


def open_scorecards(world: World):
    issue_notice(world)()
    version = SchemeVersion.objects.get(scheme__key="small")
    for role, power in (("reviewer", Power.REVIEW), ("coordinator", Power.COORDINATE), ("leader", Power.SIGN)):
        grant(user=world.people[role], power=power, office=version.unit)
    return lambda: workflow.open_scorecards(version=version, actor=world.actor("coordinator"), at=world.now)


def assign(world: World):
    return lambda: assign_extra(
        version=world.version,
        indicator=world.own.indicator,
        office=world.own.office,
        title="临时交办",
        due_at=world.now.replace(year=world.now.year + 1),
        actor=world.actor("coordinator"),
        at=world.now,
    )


def _recorded(world: World, task) -> None:
    with transaction.atomic():
        record(
            actor=world.actor("clerk"),
            at=task.accepted_at,
            verb="task.accepted",
            subject=task,
            office_id=task.office_id,
        )


USE_CASES = {
    function.__name__: function
    for function in (
        accept,
        save_draft,
        submit,
        submit_to_the_reviewer,
        confirm,
        decline,
        approve,
        send_task_back,
        record_finding,
        void_finding,
        finish,
        sign,
        send_card_back,
        reopen,
        add_evidence,
        remove_evidence,
        issue_notice,
        open_scorecards,
        assign,
    )
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", USE_CASES)
def test_a_failure_after_any_statement_leaves_nothing_behind(world, name):
    operation = USE_CASES[name](world)
    before, count = contents(), 0
    for failure in failures(operation):
        count += 1
        assert not connection.in_atomic_block, failure
        assert changed(before) == [], failure
        assert wrong_files() == [], failure
    assert count >= 5, "the operation was hardly tried"
    assert changed(before), "let through, it did nothing"
    assert broken_chain() == []
    assert wrong_files() == []
    unhappy = [text for text in unsound(world.now) if not (name == "submit_to_the_reviewer" and "负责人" in text)]
    assert unhappy == []


@pytest.mark.django_db(transaction=True)
def test_a_file_that_was_stored_without_its_row_is_taken_when_it_is_sent_again(world):
    operation, on_disk = add_evidence(world), files()
    for _failure in failures(operation):
        if files() != on_disk:
            break
    assert len(files()) == len(on_disk) + 1, "no failure hit the time between the file and its row"
    assert not Evidence.objects.filter(name="新材料.txt").exists()
    operation()
    assert Evidence.objects.filter(name="新材料.txt").count() == 1
    assert len(files()) == len(on_disk) + 1
    assert wrong_files() == []


@pytest.mark.django_db(transaction=True)
def test_the_wrapper_itself_finds_what_is_not_in_one_transaction(world):
    """The test of the test: two writes without a transaction around them are caught."""

    def careless() -> None:
        make_submission(world, world.own, world.own.tasks["issued"])
        Membership.objects.filter(user=world.own.clerk).update(role="head")

    before = contents()
    next(failures(careless))
    assert changed(before) == ["tasks_submission"]
