"""The trail: chained, append-only, readable by auditors and by nobody else; what was done to it is found."""

import random
import re
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.grants import Power, fresh_scope, grant
from accounts.models import User
from audit import guard
from audit.models import AuditEntry, AuditHead
from audit.operations import record
from audit.queries import PAGE, Filter, breaks, search, sentence, verb_choices
from audit.verbs import VERBS

SYSTEM = Actor.system("测试")


def write(world, count: int, *, actor=SYSTEM, verb="account.logged_in", subject=None, office=None):
    with transaction.atomic():
        for number in range(count):
            record(
                actor=actor,
                at=world.now + timedelta(seconds=number),
                verb=verb,
                subject=subject or world.own.clerk,
                office_id=office.pk if office else None,
                detail={"number": number},
            )


@pytest.fixture
def unguarded(db):
    """The triggers away: as for somebody who owns the database."""
    guard.remove(connection)
    yield
    guard.install(connection)


def test_the_database_refuses_changes(world):
    for change in (
        lambda: AuditEntry.objects.update(ip="1.1.1.1"),
        lambda: AuditEntry.objects.all()._raw_delete("default"),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()
    assert not list(breaks())


@pytest.mark.parametrize(
    "field",
    ["at", "actor_label", "ip", "verb", "subject_type", "subject_id", "office_id", "detail", "hash", "prev_hash"],
)
def test_every_changed_field_is_found(world, unguarded, field):
    write(world, 5)
    entry = AuditEntry.objects.get(seq=AuditHead.objects.get().seq - 2)
    changed = {
        "at": entry.at + timedelta(microseconds=1),
        "subject_id": 999,
        "office_id": 999,
        "detail": {"number": 7},
        "hash": "f" * 64,
        "prev_hash": "f" * 64,
    }.get(field, "x")
    AuditEntry.objects.filter(pk=entry.pk).update(**{field: changed})
    assert entry.seq in [b.seq for b in breaks()] or entry.seq + 1 in [b.seq for b in breaks()]


def test_removed_swapped_inserted_and_cut_off_is_found(world, unguarded):
    write(world, 12)
    head = AuditHead.objects.get().seq
    chance = random.Random(7)
    for _ in range(40):
        with transaction.atomic():
            seq = chance.randint(2, head - 1)
            kind = chance.choice(["delete", "swap", "insert", "cut"])
            if kind == "delete":
                AuditEntry.objects.filter(seq=seq).delete()
            elif kind == "cut":
                AuditEntry.objects.filter(seq__gt=seq).delete()
            elif kind == "swap":
                one, two = AuditEntry.objects.get(seq=seq), AuditEntry.objects.get(seq=seq - 1)
                AuditEntry.objects.filter(pk=one.pk).update(seq=-1)
                AuditEntry.objects.filter(pk=two.pk).update(seq=seq)
                AuditEntry.objects.filter(pk=one.pk).update(seq=seq - 1)
            else:
                copy = AuditEntry.objects.get(seq=seq)
                copy.pk, copy.seq = None, head + 1
                copy.save()
            assert list(breaks()), kind
            transaction.set_rollback(True)
    assert not list(breaks())


def test_an_unregistered_verb_is_refused(world):
    with pytest.raises(KeyError), transaction.atomic():
        record(actor=SYSTEM, at=world.now, verb="account.promoted", subject=world.own.clerk)


def test_recording_needs_the_transaction_of_the_change(transactional_db):
    user = User.objects.create(username="x", name="x")
    with pytest.raises(RuntimeError):
        record(actor=SYSTEM, at=timezone.now(), verb="account.logged_in", subject=user)


def test_pages_by_number(world):
    write(world, 2 * PAGE + 10)
    scope = fresh_scope(world.user("auditor"))
    total = AuditHead.objects.get().seq
    seen, before, pages = [], None, 0
    while True:
        page = search(scope, Filter(), before=before)
        seen += [e.seq for e in page.entries]
        pages += 1
        if page.older is None:
            break
        before = page.older
    assert seen == list(range(total, 0, -1))
    assert pages == -(-total // PAGE)
    back = search(scope, Filter(), after=page.newer)
    assert [e.seq for e in back.entries] == list(range(page.newer + PAGE, page.newer, -1))
    assert search(scope, Filter()).newer is None


def test_filters(world):
    write(world, 3, actor=world.actor("head"), verb="evidence.downloaded", subject=world.own.task)
    scope = fresh_scope(world.user("auditor"))

    def found(**asked):
        return search(scope, Filter(**asked)).entries

    assert len(found(person="甲测试处负责")) == 3
    assert len(found(verb="evidence.downloaded")) == 3
    assert len(found(subject_type="tasks.task", subject_id=world.own.task.pk)) == 3
    today = timezone.localdate(world.now)
    assert len(found(verb="evidence.downloaded", since=today, until=today)) == 3
    assert not found(since=today + timedelta(days=2))
    assert not found(until=today - timedelta(days=40))
    assert not found(person="无此人")
    write(world, 1)
    assert [e.actor_label for e in found(person="测试", verb="account.logged_in")] == ["测试"]


def test_an_auditor_of_one_office_sees_what_concerns_it(world):
    user = User.objects.create(username="sub", name="处室审计")
    grant(user=user, power=Power.AUDIT, office=world.own.office)
    entries = search(fresh_scope(user), Filter()).entries
    assert {e.office_id for e in entries} == {world.own.office.pk}
    world.people["sub"] = user
    assert world.client("sub").get("/audit/").status_code == 200


def test_pages(world, django_assert_max_num_queries):
    write(world, 60)
    client = world.client("auditor")
    with django_assert_max_num_queries(15):
        page = client.get("/audit/")
    text = page.content.decode()
    assert "校验完整性" in text
    assert "报送(第1次)" in client.get("/audit/", {"before": 10}).content.decode()
    older = re.search(r'rel="next" href="([^"]+)"', text).group(1).replace("&amp;", "&")
    assert client.get(f"/audit/{older}").context["page"].newer is not None
    chip = client.get("/audit/", {"subject_type": "accounts.user", "subject_id": world.own.clerk.pk, "verb": ""})
    assert f"对象:人员 {world.own.clerk.pk}" in chip.content.decode()
    empty = client.get("/audit/", {"person": "无此人"}).content.decode()
    assert "没有符合条件的留痕" in empty
    for odd in (
        {"before": "x"},
        {"before": "9" * 40},
        {"since": "2026-13-40"},
        {"verb": "no.such"},
        {"subject_type": "a.b", "subject_id": "1" * 30},
        {"subject_type": "nonsense"},
        {"until": "9999-12-31"},
    ):
        assert client.get("/audit/", odd).status_code == 200, odd


def test_verification_page(world, unguarded):
    client = world.client("auditor")
    assert "开始校验" in client.get("/audit/verify/").content.decode()
    good = client.post("/audit/verify/").content.decode()
    assert "没有发现改动" in good
    assert AuditHead.objects.get().hash in good
    AuditEntry.objects.filter(seq=1).update(ip="9.9.9.9")
    bad = client.post("/audit/verify/").content.decode()
    assert "内容与校验值不符" in bad
    assert "没有发现改动" not in bad


def test_names_in_sentences_are_escaped(world):
    write(world, 1, verb="account.created", actor=Actor.system("<i>x</i>"))
    with transaction.atomic():
        record(
            actor=SYSTEM,
            at=world.now,
            verb="account.created",
            subject=world.own.clerk,
            detail={"name": "<script>alert(1)</script>{ip}"},
        )
    page = world.client("auditor").get("/audit/").content.decode()
    assert "<script>alert" not in page
    assert "<i>x</i>" not in page


def test_every_verb_has_a_sentence_that_lacks_nothing(world):
    for verb, text in VERBS.items():
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", verb)
        assert str(text)
        assert "{" not in sentence(AuditEntry(verb=verb, detail={}))
    assert len(verb_choices()) == len(VERBS)
