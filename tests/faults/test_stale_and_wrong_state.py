"""Old pages, steps at the wrong time, people whose business it is not: refused in words, and nothing is changed."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count, product
from types import SimpleNamespace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts.errors import NotAllowed, NotVisible, Refusal
from accounts.grants import Power, grant, revoke
from accounts.models import Membership
from assessments import operations as assessments
from assessments.errors import OwnOffice, OwnSubmission, SignerInvolved
from assessments.models import Finding, Scorecard
from tasks import operations as tasks
from tasks.issuing import assign_extra, issue
from tasks.models import Submission, Task, TaskState
from tests.faults.state import changed, contents, files
from tests.world import PASSWORD, World, make_task
from workflow import operations as workflow

pytestmark = pytest.mark.django_db
TOKENS = count(1)
TYPED = "辛苦写了半天的内容"


def chinese(refusal: Refusal) -> bool:
    text = str(refusal)
    return any("\u4e00" <= c <= "\u9fff" for c in text) and "{" not in text


def refused(operation: Callable[[], object], kind: type[Refusal] = Refusal) -> Refusal:
    """The operation is refused in Chinese, and neither the database nor the disk is different afterwards."""
    rows, stored = contents(), files()
    with pytest.raises(kind) as caught:
        operation()
    assert chinese(caught.value), repr(caught.value)
    assert changed(rows) == [], str(caught.value)
    assert files() == stored
    return caught.value


# ------------------------------------------------------------------ every operation, on the business of an office


def task_operations(world: World, task: Task, role: str) -> dict[str, Callable[[], object]]:
    actor, at, pk = world.actor(role), world.now, task.pk
    common = {"task_id": pk, "actor": actor, "at": at}
    draft = task.submissions.filter(submitted_at=None).first()
    evidence = draft.evidence.first() if draft else None
    found = {
        "accept": lambda: workflow.accept(**common),
        "draft": lambda: tasks.save_draft(**common, text=TYPED, values={}, base=None),
        "attach": lambda: tasks.add_evidence(**common, upload=SimpleUploadedFile("新.txt", b"new")),
        "submit": lambda: workflow.submit(**common, revision=None, token=f"t{next(TOKENS)}", text=TYPED, values={}),
        "confirm": lambda: workflow.confirm(**common, revision=None, outcome="approved"),
        "decline": lambda: workflow.confirm(**common, revision=None, outcome="returned", reason=TYPED),
        "approve": lambda: workflow.review(**common, revision=None, outcome="approved"),
        "return": lambda: workflow.review(**common, revision=None, outcome="returned", reason=TYPED),
    }
    if evidence is not None:
        found["detach"] = lambda: tasks.remove_evidence(evidence_id=evidence.pk, actor=actor, at=at)
    return found


def card_operations(world: World, side, role: str) -> dict[str, Callable[[], object]]:
    actor, at = world.actor(role), world.now
    card = Scorecard.objects.get(pk=side.scorecard.pk)
    common = {"scorecard_id": card.pk, "actor": actor, "at": at}
    fact = {
        "scorecard": card,
        "indicator": side.indicator,
        "rule": side.rule,
        "actor": actor,
        "at": at,
        "occurred_on": timezone.localdate(at),
        "count": 1,
        "source": "通报",
    }
    judging = {"scorecard": card, "actor": actor, "at": at, "token": f"t{next(TOKENS)}", "source": "检查"}
    return {
        "record": lambda: assessments.record_finding(**fact, token=f"t{next(TOKENS)}"),
        "preview": lambda: assessments.preview_finding(**fact),
        "void": lambda: assessments.void_finding(
            finding=Finding.objects.get(pk=side.finding.pk), actor=actor, at=at, reason=TYPED
        ),
        "full": lambda: assessments.judge_full(**judging),
        "finish": lambda: workflow.finish_scorecard(**common, revision=None),
        "send_back": lambda: workflow.send_back_scorecard(**common, revision=None, reason=TYPED),
        "sign": lambda: workflow.sign_scorecard(
            **common, revision=None, digest=assessments.digest_of(card), password_ok=True
        ),
        "reopen": lambda: workflow.reopen_scorecard(**common, reason=TYPED),
    }


TASK_ACTORS = {"confirm": "head", "decline": "head", "approve": "reviewer", "return": "reviewer"}
CARD_ACTORS = {"sign": "leader", "send_back": "leader", "reopen": "leader"}
RIGHT_TIME = {
    "accept": {"issued"},
    "draft": {"accepted", "returned"},
    "attach": {"accepted", "returned"},
    "detach": {"accepted", "returned"},
    "submit": {"accepted", "returned"},
    "confirm": {"confirming"},
    "decline": {"confirming"},
    "approve": {"reviewing"},
    "return": {"reviewing"},
}
RIGHT_CARD = {
    "record": "open",
    "preview": "open",
    "void": "open",
    "full": "open",
    "finish": "open",
    "send_back": "finished",
    "sign": "finished",
    "reopen": "signed",
}


def taken(world: World, state: str) -> Task:
    """A task of the own office that came into this state through the steps of its flow, or was cancelled."""
    task = make_task(world, world.own, "issued", key=f"way-{state}")
    if state == "cancelled":
        Task.objects.filter(pk=task.pk).update(state=TaskState.CANCELLED, next_check_at=None)
        return Task.objects.get(pk=task.pk)
    if state == "issued":
        return task
    ways = {
        "accepted": ["accept"],
        "confirming": ["accept", "submit"],
        "reviewing": ["accept", "submit", "confirm"],
        "returned": ["accept", "attach", "submit", "confirm", "return"],
        "approved": ["accept", "submit", "confirm", "approve"],
    }
    for step in ways[state]:
        task_operations(world, task, TASK_ACTORS.get(step, "clerk"))[step]()
    task.refresh_from_db()
    assert task.state == state
    return task


@pytest.mark.parametrize("state", TaskState.values)
def test_every_step_of_a_task_at_the_wrong_time(world, state):
    task = taken(world, state)
    tried = 0
    for name in task_operations(world, task, "clerk"):
        if state in RIGHT_TIME[name]:
            continue
        # the clerk who signed for it may click again; a colleague is told
        role = "head" if name == "accept" else TASK_ACTORS.get(name, "clerk")
        refusal = refused(task_operations(world, task, role)[name])
        assert refusal.status == 409, (name, str(refusal))
        tried += 1
    assert tried >= 5


@pytest.mark.parametrize("state", TaskState.values)
def test_the_right_step_at_the_right_time(world, state):
    """The test of the test above: what it leaves out is really done."""
    names = [name for name, states in RIGHT_TIME.items() if state in states and name != "detach"]
    if not names:
        return
    task = taken(world, state)
    before = contents()
    task_operations(world, task, TASK_ACTORS.get(names[-1], "clerk"))[names[-1]]()
    assert changed(before)


@pytest.mark.parametrize("state", Scorecard.State.values)
def test_every_step_of_a_scorecard_at_the_wrong_time(world, state):
    for name in {"open": [], "finished": ["finish"], "signed": ["finish", "sign"]}[state]:
        card_operations(world, world.own, CARD_ACTORS.get(name, "reviewer"))[name]()
    wrong = [name for name, right in RIGHT_CARD.items() if right != state]
    for name in wrong:
        refusal = refused(card_operations(world, world.own, CARD_ACTORS.get(name, "reviewer"))[name])
        assert refusal.status == 409, (name, str(refusal))
    assert len(wrong) >= 3


def test_a_voided_finding_is_not_voided_again(world):
    void = card_operations(world, world.own, "reviewer")["void"]
    void()
    assert "已由甲测试处审核人于" in str(refused(card_operations(world, world.own, "reviewer")["void"]))


# ------------------------------------------------------------------ people whose business it is not


@pytest.mark.parametrize("role", ["clerk", "head", "reviewer", "administrator", "auditor", "disabled"])
def test_the_business_of_a_foreign_office_does_not_exist(world, role):
    for state in ("issued", "accepted", "confirming", "reviewing"):
        for operation in task_operations(world, world.other.tasks[state], role).values():
            assert refused(operation, NotVisible).status == 404
    for operation in card_operations(world, world.other, role).values():
        assert refused(operation, NotVisible).status == 404


@pytest.mark.parametrize("role", ["administrator", "auditor", "disabled"])
def test_who_keeps_the_system_keeps_out_of_its_business(world, role):
    for state in ("issued", "accepted", "confirming", "reviewing"):
        for operation in task_operations(world, world.own.tasks[state], role).values():
            refused(operation, NotVisible)
    for operation in card_operations(world, world.own, role).values():
        refused(operation, NotVisible)
    refused(lambda: issue(version=world.version, actor=world.actor(role), at=world.now), NotAllowed)
    refused(lambda: workflow.open_scorecards(version=world.version, actor=world.actor(role), at=world.now), NotAllowed)


def test_ids_that_were_never_given(world):
    ghost = SimpleNamespace(pk=987_654, submissions=Submission.objects.none())
    for operation in task_operations(world, ghost, "clerk").values():
        refused(operation, NotVisible)
    common = {"scorecard_id": 987_654, "actor": world.actor("leader"), "at": world.now}
    refused(lambda: workflow.finish_scorecard(**common, revision=None), NotVisible)
    refused(lambda: workflow.reopen_scorecard(**common, reason="x"), NotVisible)
    refused(lambda: tasks.remove_evidence(evidence_id=987_654, actor=world.actor("clerk"), at=world.now), NotVisible)


def test_own_people_do_not_judge_their_office(world):
    Membership.objects.create(user=world.own.reviewer, office=world.own.office)
    for name in ("approve", "return"):
        refused(task_operations(world, world.own.tasks["reviewing"], "reviewer")[name], OwnOffice)
    for name in ("record", "void", "full", "finish"):
        refused(card_operations(world, world.own, "reviewer")[name], OwnOffice)


def test_who_filed_or_confirmed_and_then_changed_sides_does_not_review(world):
    for user in (world.own.clerk, world.own.head):
        Membership.objects.filter(user=user).delete()
        grant(user=user, power=Power.REVIEW, office=world.own.office)
    for role, name in product(("clerk", "head"), ("approve", "return")):
        refused(task_operations(world, world.own.tasks["reviewing"], role)[name], OwnSubmission)


def test_who_filed_confirmed_scored_or_finished_does_not_sign(world):
    card_operations(world, world.own, "reviewer")["finish"]()
    for role in ("clerk", "head", "reviewer"):
        grant(user=world.people[role], power=Power.SIGN, office=world.own.office)
        refused(card_operations(world, world.own, role)["sign"], SignerInvolved)
    card_operations(world, world.own, "leader")["sign"]()


def test_a_power_that_was_taken_back_is_gone_at_once(world):
    revoke(user=world.own.reviewer, power=Power.REVIEW, office=world.own.office)
    refused(task_operations(world, world.own.tasks["reviewing"], "reviewer")["approve"], NotVisible)
    Membership.objects.filter(user=world.own.clerk).delete()
    refused(task_operations(world, world.own.tasks["accepted"], "clerk")["submit"], NotVisible)


def test_a_clerk_who_signed_for_it_and_left_is_a_stranger(world):
    task = taken(world, "accepted")
    Membership.objects.filter(user=world.own.clerk).delete()
    refused(task_operations(world, task, "clerk")["accept"], NotVisible)


def test_members_only_do_what_is_theirs(world):
    for role, names in {
        "clerk": ("confirm", "decline", "approve", "return"),
        "coordinator": ("accept", "draft", "attach", "submit", "confirm", "approve", "return"),
        "leader": ("accept", "draft", "attach", "submit", "confirm", "approve", "return"),
        "reviewer": ("accept", "draft", "attach", "submit", "confirm"),
    }.items():
        for name in names:
            state = min(RIGHT_TIME[name])
            refused(task_operations(world, world.own.tasks[state], role)[name], NotAllowed)
    refused(
        lambda: assign_extra(
            version=world.version,
            indicator=world.own.indicator,
            office=world.own.office,
            title="交办",
            due_at=world.now + timedelta(days=3),
            actor=world.actor("leader"),
            at=world.now,
        ),
        NotAllowed,
    )


# ------------------------------------------------------------------ tokens


def test_a_forms_token_belongs_to_one_submission(world):
    """Sent with another task's form, or by somebody else: refused in words, not an error of the database."""
    first, second = world.own.tasks["accepted"], taken(world, "accepted")

    def send(task: Task, role: str = "clerk"):
        return workflow.submit(
            task_id=task.pk,
            actor=world.actor(role),
            at=world.now,
            revision=None,
            token="the-same",
            text=TYPED,
            values={},
        )

    sent = send(first)
    assert send(first) == sent
    assert "另一次报送" in str(refused(lambda: send(second)))
    refused(lambda: send(first, "head"))
    answer = world.client("clerk").post(
        f"/work/tasks/{second.pk}/submit/", {"text": TYPED, "token": "the-same", "revision": second.revision}
    )
    assert answer.status_code == 409
    assert TYPED in answer.content.decode()


# ------------------------------------------------------------------ old pages


def posted(world: World, role: str, path: str, **form) -> tuple[int, str]:
    answer = world.client(role).post(path, form)
    return answer.status_code, answer.content.decode()


def after_login(rows: dict[str, str]) -> list[str]:
    """What changed, but for the stamp that logging in leaves on the person."""
    return [table for table in changed(rows) if table != "accounts_user"]


def test_old_report_keeps_its_text_and_values(world):
    task = taken(world, "accepted")
    rows = contents()
    status, page = posted(
        world, "clerk", f"/work/tasks/{task.pk}/submit/", text=TYPED, v0="95.25", revision=task.revision - 1, token="t"
    )
    assert status == 409
    assert TYPED in page
    assert 'value="95.25"' in page
    assert "已为您保留" in page
    assert after_login(rows) == []


def test_report_of_a_task_that_went_on_keeps_its_text(world):
    for state in ("confirming", "reviewing", "approved"):
        task = taken(world, state)
        status, page = posted(
            world, "clerk", f"/work/tasks/{task.pk}/submit/", text=TYPED, v0="95.25", revision=1, token=f"x{state}"
        )
        assert status == 409
        assert TYPED in page
        assert "95.25" in page


@pytest.mark.parametrize(
    ("state", "role", "step"), [("confirming", "head", "confirm"), ("reviewing", "reviewer", "review")]
)
def test_old_decisions_keep_their_reason(world, state, role, step):
    task = taken(world, state)
    rows = contents()
    status, page = posted(
        world,
        role,
        f"/work/tasks/{task.pk}/{step}/",
        outcome="returned",
        reason=TYPED,
        revision=task.revision - 1,
        m0="text",
        n0="标注里的话",
    )
    assert status == 409
    assert TYPED in page
    assert after_login(rows) == []
    if step == "review":
        assert "标注里的话" in page


def test_back_button_after_the_approval(world):
    """The reviewer's page of yesterday is sent again: nothing happens twice, and it says who decided."""
    task = taken(world, "reviewing")
    path, form = f"/work/tasks/{task.pk}/review/", {"outcome": "approved", "revision": task.revision}
    assert posted(world, "reviewer", path, **form)[0] == 302
    rows = contents()
    for again in (form, form | {"outcome": "returned", "reason": TYPED}):
        status, page = posted(world, "reviewer", path, **again)
        assert status == 409
        assert "已由甲测试处审核人于" in page
        assert again.get("reason", "") in page
    assert after_login(rows) == []


def test_back_button_after_the_signature(world):
    card_operations(world, world.own, "reviewer")["finish"]()
    path = f"/work/scorecards/{world.own.scorecard.pk}/sign/"
    form = {
        "digest": assessments.digest_of(Scorecard.objects.get(pk=world.own.scorecard.pk)),
        "revision": "1",
        "opinion": TYPED,
        "password": PASSWORD,
    }
    assert posted(world, "leader", path, **form)[0] == 302
    rows = contents()
    status, page = posted(world, "leader", path, **form)
    assert status == 409
    assert "已签批" in page
    assert after_login(rows) == []


def test_old_signature_page_keeps_the_opinion(world):
    card_operations(world, world.own, "reviewer")["finish"]()
    rows = contents()
    path = f"/work/scorecards/{world.own.scorecard.pk}/sign/"
    digest = assessments.digest_of(Scorecard.objects.get(pk=world.own.scorecard.pk))
    for changes in ({"revision": "0", "digest": digest}, {"revision": "1", "digest": "0" * 64}):
        status, page = posted(world, "leader", path, opinion=TYPED, password=PASSWORD, **changes)
        assert status == 409
        assert TYPED in page
    status, page = posted(world, "leader", path, opinion=TYPED, password="wrong", revision="1", digest=digest)
    assert status == 403
    assert TYPED in page
    assert after_login(rows) == []


def test_old_page_of_a_scorecard_does_not_finish_it(world):
    card_operations(world, world.own, "reviewer")["record"]()
    rows = contents()
    status, page = posted(world, "reviewer", f"/work/scorecards/{world.own.scorecard.pk}/finish/", revision="0")
    assert status == 409
    assert "已有变化" in page
    assert after_login(rows) == []


def test_an_old_draft_is_refused_to_the_script_in_words(world):
    task = taken(world, "confirming")
    answer = world.client("clerk").post(
        f"/tasks/{task.pk}/draft/", {"text": TYPED}, headers={"X-Requested-With": "XMLHttpRequest"}
    )
    assert answer.status_code == 409
    assert "待负责人确认" in answer.json()["error"]


def typed_on_a_closed_card(world: World) -> dict[str, tuple[str, str, dict]]:
    side = world.own
    base = f"/work/scorecards/{side.scorecard.pk}/"
    fact = {
        "indicator": side.indicator.pk,
        "clause": side.clause.pk,
        "rule": side.rule.pk,
        "token": "fact",
        "count": "1",
        "occurred_on": timezone.localdate(world.now).isoformat(),
        "source": "通报",
        "note": TYPED,
    }
    return {
        "finding": ("reviewer", f"{base}findings/new/", fact),
        "void": ("reviewer", f"{base}findings/{side.finding.pk}/void/", {"reason": TYPED}),
        "full": ("reviewer", f"{base}full/", {"token": "full", "source": TYPED, "indicators": side.indicator.pk}),
        "send_back": ("leader", f"{base}sign/back/", {"back-reason": TYPED, "revision": "0"}),
        "reopen": ("leader", f"{base}sign/reopen/", {"reopen-reason": TYPED}),
    }


@pytest.mark.parametrize("name", ["finding", "void", "full", "send_back", "reopen"])
def test_what_was_typed_on_a_card_that_has_gone_on_is_refused_in_words(world, name):
    """The answer is the refusal and no redirect: the browser's way back leads to what was typed."""
    card_operations(world, world.own, "reviewer")["finish"]()
    role, path, form = typed_on_a_closed_card(world)[name]
    rows = contents()
    status, page = posted(world, role, path, **form)
    assert status == 409
    assert "甲测试处的得分表目前为" in page or "已有变化" in page
    assert after_login(rows) == []
