"""Confirming and reviewing: who may, what a return needs, and who was first."""

import threading

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.errors import BadInput, NotAllowed, NotVisible, Stale
from accounts.grants import Power, grant
from accounts.models import Membership
from assessments import operations, queries
from assessments.errors import AlreadyDecided, NoPower, OwnOffice, OwnSubmission
from assessments.models import Review
from audit.models import AuditEntry
from notifications.models import Notification
from tasks import operations as tasks
from tasks.errors import WrongState
from tasks.models import Submission, Task
from tests.world import build, person

RETURNED = {"outcome": "returned", "reason": "缺少落款和日期"}


def decide(world, verb, who, *, state=None, revision=None, outcome="approved", **given):
    state = state or {"confirm": "confirming", "review": "reviewing"}[verb]
    with transaction.atomic():
        task = tasks.lock(world.own.tasks[state].pk)
        return getattr(operations, verb)(
            task=task, actor=world.actor(who), at=world.now, revision=revision, outcome=outcome, **given
        )


def state_of(world, state) -> str:
    return Task.objects.get(pk=world.own.tasks[state].pk).state


def test_the_head_confirms_and_the_task_goes_to_the_reviewers(world):
    row = decide(world, "confirm", "head", revision=0)
    assert (row.stage, row.outcome, row.reviewer) == ("confirm", "approved", world.people["head"])
    assert state_of(world, "confirming") == "reviewing"
    submission = Submission.objects.get(task=world.own.tasks["confirming"])
    assert submission.confirmed_by == world.people["head"]
    assert AuditEntry.objects.filter(verb="task.confirmed").count() == 1
    assert Notification.objects.filter(kind="review").exists()


def test_the_head_returns_with_a_reason(world):
    decide(world, "confirm", "head", **RETURNED)
    assert state_of(world, "confirming") == "returned"
    assert AuditEntry.objects.get(verb="task.declined").detail["reason"] == "缺少落款和日期"


def test_the_reviewer_approves(world):
    decide(world, "review", "reviewer", revision=0)
    assert state_of(world, "reviewing") == "approved"
    assert AuditEntry.objects.filter(verb="task.approved").count() == 1
    (row,) = queries.reviews_of(world.own.tasks["reviewing"])
    assert row.reviewer == world.people["reviewer"]


def test_the_reviewer_returns_and_marks_what_to_mend(world):
    marks = [
        {"target": "text", "note": " 写明数量 "},
        {"target": "text", "note": "写明数量"},
        {"target": "value:合格率", "note": "核对口径"},
        {"target": f"evidence:{world.own.evidence.pk}", "note": "缺盖章"},
    ]
    row = decide(world, "review", "reviewer", marks=marks, **RETURNED)
    assert [mark["target"] for mark in row.marks] == ["text", "value:合格率", f"evidence:{world.own.evidence.pk}"]
    assert row.marks[0]["note"] == "写明数量"
    assert state_of(world, "reviewing") == "returned"
    draft = Submission.objects.get(task=world.own.tasks["reviewing"], submitted_at=None)
    assert draft.evidence.count() == 1


def test_a_mark_needs_no_words_of_its_own_the_return_has_a_reason(world):
    row = decide(world, "review", "reviewer", marks=[{"target": "text", "note": " "}], **RETURNED)
    assert row.marks == [{"target": "text", "note": ""}]


@pytest.mark.parametrize("verb", ["confirm", "review"])
@pytest.mark.parametrize("reason", ["", "   ", "\n"])
def test_a_return_needs_a_reason(world, verb, reason):
    with pytest.raises(BadInput) as refusal:
        decide(world, verb, {"confirm": "head", "review": "reviewer"}[verb], outcome="returned", reason=reason)
    assert list(refusal.value.problems) == ["reason"]
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    "given",
    [
        {"outcome": "maybe"},
        {"outcome": "returned", "reason": "x" * 2001},
        {"outcome": "approved", "marks": [{"target": "text", "note": "x"}]},
        {"outcome": "returned", "reason": "x", "marks": [{"target": "evidence:999999", "note": "x"}]},
        {"outcome": "returned", "reason": "x", "marks": [{"target": "value:没有", "note": "x"}]},
        {"outcome": "returned", "reason": "x", "marks": [{"target": "text", "note": "x" * 301}]},
        {"outcome": "returned", "reason": "x", "marks": [{}]},
        {"outcome": "returned", "reason": "x", "marks": [{"target": "text", "note": str(n)} for n in range(61)]},
    ],
)
def test_input_that_makes_no_sense_is_refused_and_nothing_is_written(world, given):
    with pytest.raises(BadInput):
        decide(world, "review", "reviewer", **given)
    assert not Review.objects.exists()
    assert state_of(world, "reviewing") == "reviewing"


def test_evidence_of_another_submission_cannot_be_marked(world):
    with pytest.raises(BadInput):
        decide(
            world,
            "review",
            "reviewer",
            marks=[{"target": f"evidence:{world.other.evidence.pk}", "note": "x"}],
            **RETURNED,
        )


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        ("clerk", NotAllowed),
        ("reviewer", NotAllowed),
        ("coordinator", NotAllowed),
        ("leader", NotAllowed),
        ("administrator", NotVisible),
        ("auditor", NotVisible),
        ("disabled", NotVisible),
    ],
)
def test_only_the_head_confirms(world, who, refusal):
    with pytest.raises(refusal):
        decide(world, "confirm", who)
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        ("clerk", OwnOffice),
        ("head", OwnOffice),
        ("coordinator", NoPower),
        ("leader", NoPower),
        ("administrator", NotVisible),
        ("auditor", NotVisible),
        ("disabled", NotVisible),
    ],
)
def test_only_reviewers_review(world, who, refusal):
    with pytest.raises(refusal):
        decide(world, "review", who)
    assert not Review.objects.exists()


def test_the_other_offices_reviewer_does_not_see_it(world):
    world.people["outsider"] = world.other.reviewer
    with pytest.raises(NotVisible):
        decide(world, "review", "outsider")


def test_a_reviewer_who_belongs_to_the_office_is_refused(world):
    grant(user=world.people["clerk"], power=Power.REVIEW, office=world.own.office)
    with pytest.raises(OwnOffice):
        decide(world, "review", "clerk")


def test_who_filed_or_confirmed_does_not_decide_even_after_moving_on(world):
    for role in ("clerk", "head"):
        Membership.objects.filter(user=world.people[role]).update(office=world.other.office)
        grant(user=world.people[role], power=Power.REVIEW, office=world.own.office)
        with pytest.raises(OwnSubmission):
            decide(world, "review", role)


def test_the_head_does_not_confirm_what_the_head_filed(world):
    Submission.objects.filter(task=world.own.tasks["confirming"]).update(submitted_by=world.people["head"])
    with pytest.raises(OwnSubmission):
        decide(world, "confirm", "head")


def test_a_page_opened_earlier_is_refused(world):
    with pytest.raises(Stale):
        decide(world, "review", "reviewer", revision=7)
    with pytest.raises(Stale):
        decide(world, "confirm", "head", revision=7)


@pytest.mark.parametrize("state", ["issued", "accepted", "confirming"])
def test_a_task_in_another_state_is_not_reviewed(world, state):
    with pytest.raises(WrongState):
        decide(world, "review", "reviewer", state=state)


@pytest.mark.parametrize("state", ["issued", "accepted", "reviewing"])
def test_a_task_in_another_state_is_not_confirmed(world, state):
    with pytest.raises(WrongState):
        decide(world, "confirm", "head", state=state)


def second_reviewer(world):
    world.people["second"] = person("second", "审核人乙")
    grant(user=world.people["second"], power=Power.REVIEW, office=world.own.office)


def test_the_second_reviewer_is_told_who_decided(world):
    second_reviewer(world)
    decide(world, "review", "reviewer", revision=0)
    with pytest.raises(AlreadyDecided) as refusal:
        decide(world, "review", "second", revision=0, **RETURNED)
    text = str(refusal.value)
    assert "甲测试处审核人" in text
    assert "通过" in text
    assert "没有作为结论保存" in text
    assert Review.objects.count() == 1


def test_the_second_confirmation_is_told_who_decided(world):
    decide(world, "confirm", "head")
    with pytest.raises(AlreadyDecided) as refusal:
        decide(world, "confirm", "head")
    assert "甲测试处负责人" in str(refusal.value)


def test_the_constraint_decides_where_no_lock_was_taken(world):
    """Two requests that both read the task before either wrote."""
    second_reviewer(world)
    first, second = (Task.objects.get(pk=world.own.tasks["reviewing"].pk) for _ in range(2))
    given = {"at": world.now, "revision": 0}
    operations.review(task=first, actor=world.actor("reviewer"), outcome="approved", **given)
    with pytest.raises(AlreadyDecided):
        operations.review(task=second, actor=world.actor("second"), **RETURNED, **given)
    assert Review.objects.count() == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        Review.objects.create(
            submission=world.own.submission,
            stage="confirm",
            outcome="returned",
            reviewer=world.people["head"],
            at=world.now,
        )


@pytest.mark.django_db(transaction=True)
def test_two_reviewers_at_once_one_decision():
    world = build()
    second_reviewer(world)
    gate = threading.Barrier(2, timeout=20)
    results = {}

    def run(who, given):
        try:
            actor = world.actor(who)
            gate.wait()
            decide(world, "review", who, revision=0, **given)
            results[who] = actor.label
        except AlreadyDecided as refusal:
            results[who] = refusal
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=("reviewer", {"outcome": "approved"})),
        threading.Thread(target=run, args=("second", RETURNED)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    refused = [result for result in results.values() if isinstance(result, AlreadyDecided)]
    won = [result for result in results.values() if isinstance(result, str)]
    assert (len(won), len(refused)) == (1, 1), results
    assert won[0] in str(refused[0])
    (row,) = Review.objects.all()
    assert state_of(world, "reviewing") == ("approved" if row.outcome == "approved" else "returned")
