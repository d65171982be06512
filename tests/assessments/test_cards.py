"""Finishing, signing, sending back, reopening: who may, in which state, over which figures."""

import threading
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.errors import BadInput, NotVisible, Stale
from accounts.grants import Power, grant
from assessments import operations, queries
from assessments.errors import CardWrongState, DigestChanged, NoPower, OwnOffice, SignerInvolved, WrongPassword
from assessments.models import Finding, Scorecard, ScoreEntry, SignOff
from audit.models import AuditEntry
from notifications.models import Delivery, Notification
from tasks.models import Submission, Task
from tests.assessments.conftest import AT, DAY, Year, each, small

OFFICE = "监督协调处"


def sign(year: Year, office: str = OFFICE, *, by: str = "leader", **changes) -> SignOff:
    card = year.card(office)
    given = {"revision": card.revision, "digest": operations.digest_of(card), "password_ok": True} | changes
    return operations.sign_off(scorecard=card, actor=year.actor(by), at=AT, **given)


# ------------------------------------------------------------------ finishing


def test_a_card_with_open_items_is_not_finished_and_they_are_named(opened):
    card = opened.card("登记管理处")
    with pytest.raises(BadInput) as refusal:
        operations.finish(scorecard=card, actor=opened.actor("reviewer"), at=AT, revision=card.revision)
    texts = refusal.value.problems["entries"]
    assert len(texts) == card.unresolved
    assert "1.14/1:须人工评定,尚未评定" in texts
    assert opened.card("登记管理处").state == "open"


def test_finishing_tells_the_leaders(opened):
    card = opened.finished(OFFICE)
    assert (card.state, card.earned, card.finished_by) == ("finished", Decimal("1.5"), opened.people["reviewer"])
    note = Notification.objects.get(kind="sign")
    assert "1.5" in note.title
    told = set(Delivery.objects.filter(notification=note).values_list("recipient_id", flat=True))
    assert told == {opened.people["leader"].pk, opened.people["leader2"].pk}
    trail = AuditEntry.objects.get(verb="scorecard.finished")
    assert trail.detail["digest"] == operations.digest_of(card)
    assert queries.to_sign(opened.scope("leader")) == [card]
    assert card not in queries.to_score(opened.scope("reviewer"))


def test_where_every_leader_is_involved_the_coordinator_hears_of_it(opened):
    for name in ("leader", "leader2"):
        grant(user=opened.people[name], power=Power.REVIEW, office=opened.unit)
        opened.find(OFFICE, "r1.20-1a", count=1, by=name)
    opened.finished(OFFICE)
    note = Notification.objects.get(kind="alert")
    assert set(Delivery.objects.filter(notification=note).values_list("recipient_id", flat=True)) == {
        opened.people["coordinator"].pk
    }


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        ("stranger", NotVisible),
        ("administrator", NotVisible),
        ("auditor", NotVisible),
        ("coordinator", NoPower),
        ("leader", NoPower),
        (f"head:{OFFICE}", OwnOffice),
    ],
)
def test_only_reviewers_finish(opened, who, refusal):
    with pytest.raises(refusal):
        operations.finish(scorecard=opened.card(OFFICE), actor=opened.actor(who), at=AT, revision=None)


def test_a_page_opened_before_the_last_finding_does_not_finish(opened):
    card = opened.card(OFFICE)
    opened.find(OFFICE, "r1.20-1a", count=1)
    with pytest.raises(Stale):
        operations.finish(scorecard=card, actor=opened.actor("reviewer"), at=AT, revision=0)


def test_finishing_twice_is_refused_in_words(opened):
    opened.finished(OFFICE)
    with pytest.raises(CardWrongState) as refusal:
        operations.finish(scorecard=opened.card(OFFICE), actor=opened.actor("reviewer"), at=AT, revision=None)
    assert "待签批" in str(refusal.value)


# ------------------------------------------------------------------ sending back


def test_a_leader_sends_back_with_a_reason(opened):
    opened.finished(OFFICE)
    card = opened.card(OFFICE)
    with pytest.raises(BadInput):
        operations.send_back(scorecard=card, actor=opened.actor("leader"), at=AT, revision=card.revision, reason="")
    with pytest.raises(Stale):
        operations.send_back(scorecard=card, actor=opened.actor("leader"), at=AT, revision=99, reason="重核")
    for who in ("reviewer", "coordinator", "head:" + OFFICE):
        with pytest.raises(NoPower):
            operations.send_back(scorecard=card, actor=opened.actor(who), at=AT, revision=None, reason="重核")
    operations.send_back(
        scorecard=card, actor=opened.actor("leader"), at=AT, revision=card.revision, reason="请重核1.20"
    )
    card = opened.card(OFFICE)
    assert (card.state, card.finished_by, card.finished_at) == ("open", None, None)
    assert Notification.objects.get(kind="sentback").body == "请重核1.20"
    with pytest.raises(CardWrongState):
        operations.send_back(scorecard=card, actor=opened.actor("leader"), at=AT, revision=None, reason="再退")
    opened.find(OFFICE, "r1.20-1a", count=1)
    assert opened.finished(OFFICE, by="reviewer2").state == "finished"


# ------------------------------------------------------------------ signing


def test_a_leader_signs_exactly_what_was_shown(opened):
    card = opened.signed(OFFICE)
    signature = SignOff.objects.get()
    assert (card.state, signature.earned, signature.signer, signature.opinion) == (
        "signed",
        Decimal("1.5"),
        opened.people["leader"],
        "同意",
    )
    assert signature.digest == operations.digest_of(card)
    assert operations.signature_stands(card)
    assert queries.signature_of(card) == signature
    assert AuditEntry.objects.get(verb="scorecard.signed").detail["digest"] == signature.digest
    assert Notification.objects.filter(kind="signed").count() == 1


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        ("stranger", NotVisible),
        ("administrator", NotVisible),
        ("auditor", NotVisible),
        ("coordinator", NoPower),
        ("reviewer", NoPower),
        (f"head:{OFFICE}", NoPower),
    ],
)
def test_only_leaders_sign_and_reopen(opened, who, refusal):
    opened.finished(OFFICE)
    with pytest.raises(refusal):
        sign(opened, by=who)
    sign(opened)
    with pytest.raises(refusal):
        operations.reopen(scorecard=opened.card(OFFICE), actor=opened.actor(who), at=AT, reason="x")
    assert opened.card(OFFICE).state == "signed"


def _filed(year: Year, **people) -> None:
    task = Task.objects.create(
        key="filed",
        version=year.version,
        indicator=year.row("1.20"),
        office=year.office(OFFICE),
        role="responsible",
        title="报送",
        quote="",
        period="2017",
        starts_on=DAY,
        ends_on=DAY,
        due_date=DAY,
        due_at=AT,
        issued_at=AT,
        held_since=AT,
    )
    Submission.objects.create(
        task=task, number=1, saved_at=AT, saved_by=people["submitted_by"], submitted_at=AT, **people
    )


@pytest.mark.parametrize("part", ["filed", "confirmed", "recorded", "voided", "finished"])
def test_who_filed_or_scored_does_not_sign_and_is_told_who_may(opened, part):
    leader, clerk = opened.people["leader"], opened.people[f"clerk:{OFFICE}"]
    finisher = "reviewer"
    if part in ("recorded", "voided", "finished"):
        grant(user=leader, power=Power.REVIEW, office=opened.unit)
    if part == "filed":
        _filed(opened, submitted_by=leader)
    elif part == "confirmed":
        _filed(opened, submitted_by=clerk, confirmed_by=leader)
    elif part == "recorded":
        opened.find(OFFICE, "r1.20-1a", count=1, by="leader")
    elif part == "voided":
        finding = opened.find(OFFICE, "r1.20-1a", count=1)
        operations.void_finding(finding=finding, actor=opened.actor("leader"), at=AT, reason="不属实")
    else:
        finisher = "leader"
    opened.finished(OFFICE, by=finisher)
    with pytest.raises(SignerInvolved) as refusal:
        sign(opened)
    assert "leader2甲" in str(refusal.value)
    assert "{" not in str(refusal.value)
    assert sign(opened, by="leader2").pk


def test_where_nobody_else_may_sign_the_way_out_is_said(opened):
    for name in ("leader", "leader2"):
        grant(user=opened.people[name], power=Power.REVIEW, office=opened.unit)
        opened.find(OFFICE, "r1.20-1a", count=1, by=name)
    opened.finished(OFFICE)
    with pytest.raises(SignerInvolved) as refusal:
        sign(opened)
    assert "授权另一位领导" in str(refusal.value)


def test_an_open_card_is_not_signed(opened):
    with pytest.raises(CardWrongState):
        sign(opened)


def test_a_wrong_password_other_figures_or_an_old_page_do_not_sign(opened):
    opened.finished(OFFICE)
    with pytest.raises(WrongPassword):
        sign(opened, password_ok=False)
    with pytest.raises(DigestChanged):
        sign(opened, digest="0" * 64)
    with pytest.raises(Stale):
        sign(opened, revision=99)
    with pytest.raises(BadInput):
        sign(opened, opinion="字" * 201)
    assert not SignOff.objects.exists()
    assert opened.card(OFFICE).state == "finished"


def test_a_second_click_does_not_sign_twice(opened):
    opened.finished(OFFICE)
    sign(opened)
    with pytest.raises(CardWrongState):
        sign(opened)
    with pytest.raises(IntegrityError), transaction.atomic():
        SignOff.objects.create(
            scorecard=opened.card(OFFICE), signer=opened.people["leader2"], at=AT, digest="0" * 64, earned=0
        )


# ------------------------------------------------------------------ the digest


def test_the_digest_covers_every_figure_and_every_fact(opened):
    finding = opened.find(OFFICE, "r1.20-1a", count=1, note="一件")
    card = opened.finished(OFFICE)
    sign(opened)
    assert operations.signature_stands(card)
    entry = opened.entry(OFFICE, "1.20/1")
    changes = [
        (Finding, finding.pk, {"note": "两件"}),
        (Finding, finding.pk, {"source": "另一份通报"}),
        (Finding, finding.pk, {"count": Decimal(2)}),
        (Finding, finding.pk, {"occurred_on": AT.date()}),
        (Finding, finding.pk, {"voided_at": AT, "voided_by": opened.people["reviewer"], "void_reason": "x"}),
        (ScoreEntry, entry.pk, {"earned": Decimal("0.7")}),
        (ScoreEntry, entry.pk, {"breakdown": {}}),
        (ScoreEntry, entry.pk, {"max_points": Decimal("0.8")}),
        (ScoreEntry, entry.pk, {"rule_digest": "0" * 64}),
        (Scorecard, card.pk, {"earned": Decimal("1.4")}),
    ]
    for model, pk, change in changes:
        stored = model.objects.filter(pk=pk).values(*change).get()
        model.objects.filter(pk=pk).update(**change)
        assert not operations.signature_stands(card), change
        model.objects.filter(pk=pk).update(**stored)
        assert operations.signature_stands(card), change


def test_the_digest_of_a_shared_row_covers_the_findings_on_the_other_card(opened):
    finding = opened.judge("综合处", "2.03", "1")
    card = opened.signed("机关党支部")
    assert operations.signature_stands(card)
    Finding.objects.filter(pk=finding.pk).update(note="改过")
    assert not operations.signature_stands(card)


def test_without_a_signature_nothing_stands(opened):
    assert not operations.signature_stands(opened.card(OFFICE))


# ------------------------------------------------------------------ reopening


def test_reopening_withdraws_the_signature_with_a_reason_and_scoring_goes_on(opened):
    opened.signed(OFFICE)
    card = opened.card(OFFICE)
    with pytest.raises(BadInput):
        operations.reopen(scorecard=card, actor=opened.actor("leader2"), at=AT, reason="  ")
    operations.reopen(scorecard=card, actor=opened.actor("leader2"), at=AT, reason="上级通报更正")
    assert card.state == opened.card(OFFICE).state == "open"
    assert not operations.signature_stands(card)
    (signature,) = queries.signatures_of(card)
    assert (signature.withdraw_reason, signature.withdrawn_by) == ("上级通报更正", opened.people["leader2"])
    with pytest.raises(CardWrongState):
        operations.reopen(scorecard=card, actor=opened.actor("leader"), at=AT, reason="再开")
    opened.find(OFFICE, "r1.20-1a", count=1)
    assert opened.signed(OFFICE).earned == Decimal("1.5") - opened_amount(opened)
    assert SignOff.objects.count() == 2
    assert Notification.objects.filter(kind="signed").count() == 2
    assert queries.verify_scores(opened.version) == []


def opened_amount(year: Year) -> Decimal:
    return Decimal(year.rule("r1.20-1a").params["amount"])


def test_a_card_that_does_not_exist_is_not_there(opened):
    ghost = Scorecard(pk=987654)
    with pytest.raises(NotVisible):
        operations.finish(scorecard=ghost, actor=opened.actor("reviewer"), at=AT, revision=None)


# ------------------------------------------------------------------ at once


def tiny() -> Year:
    year = small(
        {
            "1.01": {
                "points": "5",
                "offices": [("甲处", "responsible", None)],
                "clauses": [{"points": "5", "rules": [each("a", "0.1")]}],
            }
        }
    )
    year.open()
    return year


def together(*calls) -> list:
    """Run the calls at the same moment, each on a connection of its own; what each returned or raised."""
    gate = threading.Barrier(len(calls), timeout=20)
    results: list = [None] * len(calls)

    def run(index, call):
        try:
            gate.wait()
            results[index] = call()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    return results


@pytest.mark.django_db(transaction=True)
def test_a_double_click_on_saving_is_one_finding():
    year = tiny()
    results = together(*[lambda: year.find("甲处", "a", count=1, token="click")] * 4)
    assert {getattr(result, "pk", result) for result in results} == {Finding.objects.get().pk}
    assert year.card("甲处").earned == Decimal("4.9")


@pytest.mark.django_db(transaction=True)
def test_findings_of_two_reviewers_at_once_all_count():
    year = tiny()
    results = together(
        *[
            lambda n=n: year.find("甲处", "a", count=1, token=f"t{n}", by=("reviewer", "reviewer2")[n % 2])
            for n in range(6)
        ]
    )
    assert all(isinstance(result, Finding) for result in results), results
    assert year.card("甲处").earned == Decimal("4.4")
    assert queries.verify_scores(year.version) == []


@pytest.mark.django_db(transaction=True)
def test_two_leaders_at_once_one_signature():
    year = tiny()
    year.finished("甲处")
    results = together(lambda: sign(year, "甲处"), lambda: sign(year, "甲处", by="leader2"))
    assert sorted(type(result).__name__ for result in results) in (
        ["CardWrongState", "SignOff"],
        ["SignOff", "Stale"],
    )
    assert SignOff.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_opening_twice_at_once_makes_one_card_each():
    year = small(
        {
            "1.01": {
                "points": "1",
                "offices": [("甲处", "responsible", None)],
                "clauses": [{"rules": [each("a", "0.1")]}],
            }
        }
    )
    results = together(year.open, year.open)
    assert [len(result) for result in results] == [1, 1]
    assert Scorecard.objects.count() == ScoreEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_finding_and_a_signature_at_once_never_leave_a_signature_over_other_figures():
    year = tiny()
    year.finished("甲处")
    together(lambda: sign(year, "甲处"), lambda: year.find("甲处", "a", count=1))
    card = year.card("甲处")
    assert card.state == "signed"
    assert operations.signature_stands(card)
