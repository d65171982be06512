"""Administering people and offices: who may, what is refused, what is recorded."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import operations
from accounts.actors import Actor
from accounts.errors import BadInput, NotAllowed, NotVisible, Refusal
from accounts.grants import Power, fresh_scope, grant
from accounts.models import Membership, Office, OfficeUserObjectPermission, User
from audit.models import AuditEntry
from audit.queries import breaks, sentence

SYSTEM = Actor.system("测试")


def last() -> AuditEntry:
    return AuditEntry.objects.order_by("-seq").first()


def do(world, operation, *, by="administrator", **arguments):
    actor = by if isinstance(by, Actor) else world.actor(by)
    return operation(actor=actor, at=timezone.now(), **arguments)


@pytest.fixture
def sub_administrator(world):
    """Administers only the first office."""
    user = User.objects.create(username="sub", name="处室管理员")
    grant(user=user, power=Power.ADMINISTER, office=world.own.office)
    return Actor.person(user)


def test_create_person_at_work_at_once(world):
    user, password = do(
        world, operations.create_user, username=" liming ", name="李 明", office=world.own.office, role="head"
    )
    user.refresh_from_db()
    assert (user.username, user.name, user.must_change_password) == ("liming", "李 明", True)
    assert user.check_password(password)
    assert fresh_scope(user).head == {world.own.office.pk}
    assert [sentence(e) for e in AuditEntry.objects.order_by("-seq")[:2]] == [
        "李 明 到 甲测试处 任职(负责人)",
        "新建人员 李 明",
    ]
    assert not list(breaks())


def test_one_time_passwords_differ_and_are_readable():
    made = {operations.people.one_time_password() for _ in range(200)}
    assert len(made) == 200
    assert not set("".join(made)) & set("0O1lI5S")


@pytest.mark.parametrize("username", ["clerk", "CLERK", "有 空格", "a" * 151, ""])
def test_bad_account_names(world, username):
    with pytest.raises(BadInput) as refused:
        do(world, operations.create_user, username=username, name="某人")
    assert "username" in refused.value.problems


@pytest.mark.parametrize("by", ["clerk", "head", "reviewer", "coordinator", "leader", "auditor"])
def test_only_administrators_administer(world, by):
    person, office = world.other.clerk, world.own.office
    for operation, arguments in [
        (operations.create_user, {"username": "x", "name": "x"}),
        (operations.create_user, {"username": "x", "name": "x", "office": office}),
        (operations.change_user, {"user": person, "username": "x", "name": "x"}),
        (operations.disable_user, {"user": person}),
        (operations.enable_user, {"user": person}),
        (operations.reset_password, {"user": person}),
        (operations.create_office, {"name": "x", "parent": None}),
        (operations.create_office, {"name": "x", "parent": office}),
        (operations.change_office, {"office": office, "name": "x", "parent": None}),
        (operations.retire_office, {"office": office, "last_day": timezone.localdate()}),
        (operations.start_membership, {"user": person, "office": office}),
        (operations.end_membership, {"membership": world.own.membership, "last_day": timezone.localdate()}),
        (operations.give, {"user": person, "power": Power.REVIEW, "office": office}),
        (operations.take, {"user": world.own.reviewer, "power": Power.REVIEW, "office": office}),
    ]:
        before = AuditEntry.objects.count()
        with pytest.raises(NotVisible):
            do(world, operation, by=by, **arguments)
        assert AuditEntry.objects.count() == before, operation.__name__


def test_a_stranger_is_not_the_system(world):
    stranger = Actor(user=None, label="未登录", from_request=True)
    with pytest.raises(NotVisible):
        do(world, operations.disable_user, by=stranger, user=world.own.clerk)
    assert not stranger.is_system
    assert SYSTEM.is_system


def test_an_administrator_of_one_office_reaches_no_further(world, sub_administrator):
    with pytest.raises(NotVisible):
        do(world, operations.reset_password, by=sub_administrator, user=world.other.clerk)
    with pytest.raises(NotVisible):
        do(world, operations.reset_password, by=sub_administrator, user=world.people["leader"])
    with pytest.raises(NotVisible):
        do(world, operations.give, by=sub_administrator, user=world.own.clerk, power=Power.SIGN, office=world.root)
    with pytest.raises(NotAllowed):
        do(world, operations.create_user, by=sub_administrator, username="nobody", name="无处")
    Membership.objects.create(user=world.own.clerk, office=world.other.office)
    with pytest.raises(NotVisible):  # works for both offices: takes an administrator of both
        do(world, operations.disable_user, by=sub_administrator, user=world.own.clerk)
    do(world, operations.disable_user, by=sub_administrator, user=world.own.head)
    user, _password = do(
        world, operations.create_user, by=sub_administrator, username="new", name="新人", office=world.own.office
    )
    do(world, operations.reset_password, by=sub_administrator, user=user)


def test_nobody_administers_themselves(world):
    oneself = world.people["administrator"]
    for operation, arguments in [
        (operations.disable_user, {"user": oneself}),
        (operations.reset_password, {"user": oneself}),
        (operations.give, {"user": oneself, "power": Power.ADMINISTER, "office": world.own.office}),
        (operations.take, {"user": oneself, "power": Power.ADMINISTER, "office": world.root}),
        (operations.start_membership, {"user": oneself, "office": world.own.office}),
    ]:
        with pytest.raises(operations.OnOneself):
            do(world, operation, **arguments)
    assert fresh_scope(world.user("administrator")).administer


BUSINESS = (Power.REVIEW, Power.COORDINATE, Power.SIGN)


@pytest.mark.parametrize("by", ["administrator", "system"])
def test_three_duties_three_people(world, by):
    by = SYSTEM if by == "system" else by

    def fresh(username, *powers, member=False):
        user = User.objects.create(username=username, name=username)
        for power in powers:
            grant(user=user, power=power, office=world.own.office)
        if member:
            Membership.objects.create(user=user, office=world.own.office)
        return user

    refused = 0
    for held, wanted in [
        (Power.ADMINISTER, Power.AUDIT),
        (Power.AUDIT, Power.ADMINISTER),
        *[(Power.ADMINISTER, power) for power in BUSINESS],
        *[(power, Power.ADMINISTER) for power in BUSINESS],
        *[(Power.AUDIT, power) for power in BUSINESS],
        *[(power, Power.AUDIT) for power in BUSINESS],
    ]:
        user = fresh(f"{held}-{wanted}", held)
        # over another office too: it is the person that is separated
        with pytest.raises(operations.DutiesMixed) as refusal:
            do(world, operations.give, by=by, user=user, power=wanted, office=world.other.office)
        assert "不能再承担" in str(refusal.value)
        assert OfficeUserObjectPermission.objects.filter(user=user).count() == 1
        refused += 1
    for power in (Power.ADMINISTER, Power.AUDIT):
        with pytest.raises(operations.DutiesMixed):
            do(world, operations.start_membership, by=by, user=fresh(f"m{power}", power), office=world.other.office)
        with pytest.raises(operations.DutiesMixed):
            do(world, operations.give, by=by, user=fresh(f"n{power}", member=True), power=power, office=world.root)
    assert refused == 14
    # business powers go together, and a duty that has ended is no hindrance
    user = fresh("free", Power.REVIEW)
    assert do(world, operations.give, by=by, user=user, power=Power.SIGN, office=world.root)
    assert do(world, operations.take, by=by, user=user, power=Power.SIGN, office=world.root)
    assert do(world, operations.take, by=by, user=user, power=Power.REVIEW, office=world.own.office)
    Membership.objects.create(user=user, office=world.own.office, valid_to=timezone.localdate() - timedelta(days=1))
    assert do(world, operations.give, by=by, user=user, power=Power.AUDIT, office=world.root)
    assert sentence(last()) == "授予 free 对 世界委员会 的“查看留痕”权限"


def test_a_membership_in_the_future_counts_for_separation(world):
    user = User.objects.create(username="later", name="以后")
    do(
        world,
        operations.start_membership,
        user=user,
        office=world.own.office,
        valid_from=timezone.localdate() + timedelta(days=30),
    )
    with pytest.raises(operations.DutiesMixed):
        do(world, operations.give, user=user, power=Power.AUDIT, office=world.root)


def test_disabled_stays_in_the_books_and_counts_no_more(world):
    do(world, operations.disable_user, user=world.own.clerk)
    user = world.user("clerk")
    assert not user.is_active
    assert Membership.objects.active_on(timezone.localdate()).filter(user=user).exists()
    assert not fresh_scope(user).readable
    entries = AuditEntry.objects.count()
    do(world, operations.disable_user, user=user)  # twice: one effect
    assert AuditEntry.objects.count() == entries
    for operation, arguments in [
        (operations.give, {"power": Power.REVIEW, "office": world.own.office}),
        (operations.start_membership, {"office": world.other.office}),
    ]:
        with pytest.raises(Refusal, match="已停用"):
            do(world, operation, user=user, **arguments)
    do(world, operations.enable_user, user=user)
    assert fresh_scope(world.user("clerk")).member == {world.own.office.pk}


def test_change_name_and_account(world):
    do(world, operations.change_user, user=world.own.clerk, username="wanghong", name=" 王  红 ")
    user = User.objects.get(username="wanghong")
    assert user.name == "王 红"
    assert last().detail["before"] == {"name": "甲测试处经办人", "username": "clerk"}
    with pytest.raises(BadInput):
        do(world, operations.change_user, user=user, username="HEAD", name="王红")
    with pytest.raises(BadInput):
        do(world, operations.change_user, user=user, username="wanghong", name="  ")
    entries = AuditEntry.objects.count()
    do(world, operations.change_user, user=user, username="wanghong", name="王 红")
    assert AuditEntry.objects.count() == entries


def test_reset_password(world):
    password = do(world, operations.reset_password, user=world.own.clerk)
    user = world.user("clerk")
    assert user.check_password(password)
    assert user.must_change_password
    assert last().verb == "account.password_reset"
    assert password not in str(last().detail)


def test_offices(world):
    today = timezone.localdate()
    made = do(world, operations.create_office, name=" 新 处 ", parent=world.root, position=9)
    assert (made.name, made.parent, made.valid_from) == ("新 处", world.root, today)
    with pytest.raises(BadInput, match="已有名为"):
        do(world, operations.create_office, name="新 处", parent=None)
    below = do(world, operations.create_office, name="下级科", parent=made)
    for circle in (made, below):
        with pytest.raises(BadInput, match="不能作为上级"):
            do(world, operations.change_office, office=made, name="新 处", parent=circle)
    do(world, operations.change_office, office=below, name="下级科室", parent=world.own.office)
    assert last().detail["before"] == {"name": "下级科", "parent": "新 处"}
    assert below.pk in fresh_scope(world.user("reviewer")).review  # the office above now covers it
    with pytest.raises(Refusal, match="下级机构"):
        do(world, operations.retire_office, office=world.root, last_day=today)
    with pytest.raises(BadInput, match="早于"):
        do(world, operations.retire_office, office=made, last_day=today - timedelta(days=1))
    do(world, operations.retire_office, office=made, last_day=today)
    assert not Office.objects.active_on(today + timedelta(days=1)).filter(pk=made.pk).exists()


def test_an_office_with_people_is_not_retired(world):
    with pytest.raises(Refusal) as refused:
        do(world, operations.retire_office, office=world.own.office, last_day=timezone.localdate())
    assert "甲测试处经办人" in str(refused.value)
    assert "先" in str(refused.value)
    world.own.office.refresh_from_db()
    assert world.own.office.valid_to is None


def test_nothing_new_for_a_retired_office(world):
    past = timezone.localdate() - timedelta(days=1)
    old = Office.objects.create(name="旧处", parent=world.root, valid_to=past)
    person = User.objects.create(username="p", name="某人")
    for operation, arguments in [
        (operations.start_membership, {"user": person, "office": old}),
        (operations.give, {"user": person, "power": Power.REVIEW, "office": old}),
        (operations.create_office, {"name": "新科", "parent": old}),
        (operations.change_office, {"office": world.own.office, "name": "甲测试处", "parent": old}),
    ]:
        with pytest.raises(BadInput, match="已撤销"):
            do(world, operation, **arguments)


def test_memberships(world):
    today = timezone.localdate()
    person = User.objects.create(username="p", name="某人")
    row = do(world, operations.start_membership, user=person, office=world.own.office)
    with pytest.raises(Refusal, match="已是"):
        do(world, operations.start_membership, user=person, office=world.own.office, role="head")
    with pytest.raises(BadInput):
        do(world, operations.start_membership, user=person, office=world.other.office, role="boss")
    do(world, operations.end_membership, membership=row, last_day=today)
    assert fresh_scope(person).member == {world.own.office.pk}  # the last day still counts
    assert not fresh_scope(person, on=today + timedelta(days=1)).member
    do(world, operations.end_membership, membership=row, last_day=today - timedelta(days=1))
    assert not Membership.objects.filter(pk=row.pk).exists()  # never came to be
    assert sentence(last()) == "某人 离开 甲测试处"
    do(
        world,
        operations.end_membership,
        membership=world.own.membership,
        last_day=today - timedelta(days=1),
    )
    with pytest.raises(Refusal, match="已于"):
        do(world, operations.end_membership, membership=world.own.membership, last_day=today)


def test_giving_twice_and_taking_twice(world):
    arguments = {"user": world.own.reviewer, "power": Power.REVIEW, "office": world.own.office}
    entries = AuditEntry.objects.count()
    assert not do(world, operations.give, **arguments)
    assert AuditEntry.objects.count() == entries
    assert do(world, operations.take, **arguments)
    assert not do(world, operations.take, **arguments)
    assert AuditEntry.objects.count() == entries + 1
    assert not fresh_scope(world.user("reviewer")).readable


def test_a_change_that_cannot_be_recorded_is_not_made(world, monkeypatch):
    monkeypatch.setattr("audit.operations.VERBS", {})
    with pytest.raises(KeyError):
        do(world, operations.disable_user, user=world.own.clerk)
    assert world.user("clerk").is_active
