"""The overdue scan: which warning when, to whom, once."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, close_old_connections, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Membership
from audit.models import AuditEntry
from audit.queries import breaks, sentence
from notifications.models import Delivery, Notification
from notifications.queries import page, unread_count
from tasks import scan as scanning
from tasks.models import OverdueWarning, Task, TaskState
from tasks.scan import scan
from tests.faults.invariants import broken
from tests.world import build, make_task, person

SHANGHAI = timezone.get_default_timezone()
# Tuesday 10 March 2026: no day of rest but weekends around it
DUE = datetime(2026, 3, 10, 23, 59, 59, 999999, tzinfo=SHANGHAI)
ISSUED = datetime(2026, 1, 5, 9, 0, tzinfo=SHANGHAI)
TICK = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


LADDER = {
    "before3": at("2026-03-05 09:00"),
    "before1": at("2026-03-09 09:00"),
    "due": at("2026-03-10 09:00"),
    "overdue": DUE + TICK,
    "late3": at("2026-03-13 09:00"),
    "late7": at("2026-03-19 09:00"),
}


@pytest.fixture
def world(db):
    return build()


def task_of(world, side=None, *, state="issued", key="scanned", **fields) -> Task:
    fields = {"due_at": DUE, "issued_at": ISSUED, "period": "2026-03"} | fields
    return make_task(world, side or world.own, state, key=key, **fields)


def given(task: Task) -> list[str]:
    return list(OverdueWarning.objects.filter(task=task).order_by("id").values_list("step", flat=True))


def told(task: Task, step: str) -> set[str]:
    rows = Delivery.objects.filter(notification__key=f"warn:{task.pk}:{step}:{DUE.astimezone(UTC).isoformat()}")
    return set(rows.values_list("recipient__username", flat=True))


def test_each_rung_fires_at_its_instant_and_not_before(world):
    task = task_of(world)
    steps = []
    for step, instant in LADDER.items():
        assert scan(at=instant - TICK).warned == 0, f"{step} came early"
        assert scan(at=instant).warned == 1
        assert scan(at=instant).warned == 0, f"{step} came twice"
        steps.append(step)
        assert given(task) == steps
    task.refresh_from_db()
    assert task.next_check_at is None
    assert scan(at=LADDER["late7"] + timedelta(days=60)).rows == 0
    assert broken() == []


@pytest.mark.parametrize(
    ("step", "people"),
    [
        ("before3", {"clerk", "head"}),
        ("before1", {"clerk", "head"}),
        ("due", {"clerk", "head"}),
        ("overdue", {"clerk", "head", "coordinator"}),
        ("late3", {"clerk", "head", "coordinator"}),
        ("late7", {"clerk", "head", "coordinator"}),
    ],
)
def test_who_is_told(world, step, people):
    """Everybody in the office inherits a warning, the disabled do not; nobody of another office is told."""
    task = task_of(world)
    for code, instant in LADDER.items():
        scan(at=instant)
        if code == step:
            break
    assert told(task, step) == people
    assert OverdueWarning.objects.get(task=task, step=step).recipients == len(people)


def test_people_who_came_or_left_are_told_or_not(world):
    newcomer, leaver = person("newcomer", "新来的"), person("leaver", "调走的")
    Membership.objects.create(user=newcomer, office=world.own.office, valid_from=date(2026, 3, 5))
    Membership.objects.create(user=leaver, office=world.own.office, valid_to=date(2026, 3, 8))
    task = task_of(world)
    scan(at=LADDER["before3"])
    scan(at=LADDER["before1"])
    assert told(task, "before3") == {"clerk", "head", "newcomer", "leaver"}
    assert told(task, "before1") == {"clerk", "head", "newcomer"}


def test_due_today_is_not_late(world):
    task = task_of(world)
    scan(at=LADDER["due"])
    scan(at=DUE)
    assert given(task)[-1] == "due"
    assert not Notification.objects.filter(level="red").exists()
    scan(at=DUE + TICK)
    assert given(task)[-1] == "overdue"
    assert Notification.objects.get(level="red").kind == "warning.overdue"


@pytest.mark.parametrize("state", ["confirming", "reviewing", "approved"])
def test_nothing_for_what_was_submitted(world, state):
    task = task_of(world, state=state)
    assert scan(at=LADDER["late7"]).rows == 0
    assert given(task) == []


def test_a_submitted_task_cannot_wait_for_a_rung(world):
    task = task_of(world, state="reviewing")
    with pytest.raises(IntegrityError):
        Task.objects.filter(pk=task.pk).update(next_check_at=DUE)


def test_after_a_standstill_every_rung_is_recorded_and_people_are_told_once(world):
    task = task_of(world)
    result = scan(at=LADDER["late3"] + timedelta(hours=1))
    assert given(task) == ["before3", "before1", "due", "overdue", "late3"]
    assert (result.rows, result.warned, result.notified) == (1, 5, 3)
    assert told(task, "late3") == {"clerk", "head", "coordinator"}
    assert Notification.objects.filter(kind__startswith="warning.").count() == 1
    assert list(OverdueWarning.objects.order_by("id").values_list("recipients", flat=True)) == [0, 0, 0, 0, 3]
    task.refresh_from_db()
    assert task.next_check_at == LADDER["late7"]
    assert broken() == []


def test_a_clock_that_jumps_back_repeats_nothing(world):
    task = task_of(world)
    scan(at=LADDER["overdue"])
    before = Delivery.objects.count()
    scan(at=LADDER["before1"])
    scan(at=LADDER["overdue"])
    assert given(task) == ["before3", "before1", "due", "overdue"]
    assert Delivery.objects.count() == before


def test_a_rung_asked_for_again_is_not_given_again(world):
    """Whoever sets next_check_at back by mistake causes no second warning."""
    task = task_of(world)
    scan(at=LADDER["overdue"])
    before = Delivery.objects.count()
    Task.objects.filter(pk=task.pk).update(next_check_at=LADDER["overdue"])
    assert scan(at=LADDER["overdue"]).warned == 0
    assert Delivery.objects.count() == before
    task.refresh_from_db()
    assert task.next_check_at == LADDER["late3"]


def test_a_returned_task_goes_on_with_the_next_rung(world):
    """What passed while the reviewer had it is not held against the office."""
    task = task_of(
        world,
        state="returned",
        held_since=LADDER["late3"] + timedelta(hours=2),
        next_check_at=LADDER["late7"],
    )
    scan(at=LADDER["late7"])
    assert given(task) == ["late7"]


def test_a_new_due_date_has_a_ladder_of_its_own(world):
    task = task_of(world)
    scan(at=LADDER["overdue"])
    later = DUE + timedelta(days=7)
    Task.objects.filter(pk=task.pk).update(due_at=later, next_check_at=later + TICK)
    scan(at=later + TICK)
    assert given(task)[-2:] == ["overdue", "overdue"]
    assert OverdueWarning.objects.filter(task=task, step="overdue").values("due_at").distinct().count() == 2


# ------------------------------------------------------------------ what goes wrong


def poison(monkeypatch, title: str):
    """Working out the text of this task fails."""
    from tasks.warnings import Texts

    sound = Texts.told
    monkeypatch.setattr(Texts, "told", lambda self, row, step: 1 / 0 if row.title == title else sound(self, row, step))


def test_a_poisoned_row_does_not_stop_the_sweep_and_gets_its_warning_later(world, monkeypatch, caplog):
    good, bad = task_of(world, key="good"), task_of(world, key="bad", title="坏任务")
    with monkeypatch.context() as patch:
        poison(patch, "坏任务")
        scan(at=LADDER["overdue"])
    assert given(good)[-1] == "overdue"
    assert given(bad) == []
    bad.refresh_from_db()
    assert bad.next_check_at == LADDER["overdue"] + timedelta(hours=1)
    assert f"task {bad.pk} could not be worked out" in caplog.text
    assert scan(at=LADDER["overdue"] + timedelta(minutes=59)).rows == 0
    # mended: nothing that was missed is lost, and what was given is not repeated
    scan(at=LADDER["overdue"] + timedelta(hours=1))
    assert given(bad) == ["before3", "before1", "due", "overdue"]
    assert told(bad, "overdue") == {"clerk", "head", "coordinator"}
    bad.refresh_from_db()
    assert bad.next_check_at == LADDER["late3"]
    assert broken() == []


def test_a_row_that_the_database_refuses_does_not_stop_the_others(world, monkeypatch, caplog):
    good, bad = task_of(world, key="good"), task_of(world, key="bad")
    sound = scanning.write

    def refuses(*, messages, at):
        if any(message.key.startswith(f"warn:{bad.pk}:") for message in messages):
            raise IntegrityError("no such recipient")
        return sound(messages=messages, at=at)

    with monkeypatch.context() as patch:
        patch.setattr(scanning, "write", refuses)
        scan(at=LADDER["overdue"])
    assert given(good)[-1] == "overdue"
    assert given(bad) == []
    bad.refresh_from_db()
    assert bad.next_check_at == LADDER["overdue"] + timedelta(hours=1)
    assert "trying them one by one" in caplog.text
    scan(at=LADDER["overdue"] + timedelta(hours=1))
    assert given(bad)[-1] == "overdue"


def test_a_poisoned_returned_task_is_not_warned_of_what_passed_in_review(world, monkeypatch):
    bad = task_of(
        world,
        state="returned",
        title="坏任务",
        held_since=LADDER["late3"] + timedelta(hours=2),
        next_check_at=LADDER["late7"],
    )
    with monkeypatch.context() as patch:
        poison(patch, "坏任务")
        scan(at=LADDER["late7"])
    scan(at=LADDER["late7"] + timedelta(hours=1))
    assert given(bad) == ["late7"]


def test_an_idle_tick_reads_once_and_writes_nothing(world):
    task_of(world)
    with CaptureQueriesContext(connection) as queries:
        scan(at=LADDER["before3"] - TICK)
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"]


def test_the_limit_leaves_the_rest_to_the_next_tick(world):
    for n in range(5):
        task_of(world, key=f"many{n}")
    assert [scan(at=LADDER["overdue"], limit=2).rows for _ in range(4)] == [2, 2, 1, 0]


# ------------------------------------------------------------------ words, trail, digest


def test_the_words_of_a_warning(world):
    world.rule.quote = "未及时上报的,每次扣0.05分;"
    world.rule.save()
    task = task_of(world, title="报送数据质量情况")
    scan(at=LADDER["before3"])
    scan(at=LADDER["overdue"])
    scan(at=LADDER["late3"])
    first, second, third = Notification.objects.filter(kind__startswith="warning.").order_by("id")
    assert first.title == "还有3个工作日到期:1.1 数据质量 · 第1条 报送数据质量情况(2026年3月)"
    assert first.body == "截止2026年3月10日,还有3个工作日。未及时上报的,每次扣0.05分。"
    assert second.title == "已逾期:1.1 数据质量 · 第1条 报送数据质量情况(2026年3月)"
    assert second.body == "截止2026年3月10日,已逾期1个工作日。未及时上报的,每次扣0.05分。"
    assert third.title == "逾期3个工作日:1.1 数据质量 · 第1条 报送数据质量情况(2026年3月)"
    assert [n.level for n in (first, second, third)] == ["amber", "red", "red"]
    assert {n.url for n in (first, second, third)} == {f"/work/tasks/{task.pk}/"}


def test_without_a_rule_on_lateness_the_points_are_named(world):
    task_of(world, period="不认识的期")
    scan(at=LADDER["due"])
    row = Notification.objects.get(kind="warning.due")
    assert row.body == "截止2026年3月10日,今天截止。涉及5分。"
    assert row.title.endswith("(不认识的期)")


def test_the_trail_has_one_entry_per_step_and_holds(world):
    for n in range(3):
        task_of(world, key=f"many{n}")
    scan(at=LADDER["overdue"])
    entries = AuditEntry.objects.filter(verb="task.warned").order_by("seq")
    assert {entry.detail["code"]: entry.detail["count"] for entry in entries} == {
        "before3": 3,
        "before1": 3,
        "due": 3,
        "overdue": 3,
    }
    assert "逾期预警:3项进入“逾期”" in [sentence(entry) for entry in entries]
    assert list(breaks()) == []


def test_a_coordinator_reads_a_digest_and_has_every_row(world):
    coordinator = world.people["coordinator"]
    for n in range(15):
        task_of(world, key=f"many{n}")
        task_of(world, world.other, key=f"many{n}")
    scan(at=LADDER["overdue"])
    rows = Delivery.objects.filter(recipient=coordinator)
    assert rows.filter(notification__kind="warning.overdue").count() == 30
    loud = rows.get(read_at=None)
    assert loud.notification.title == "本次新增逾期30项,涉及2个处室"
    assert loud.notification.body == "甲测试处15项、乙测试处15项。"
    assert loud.notification.level == "red"
    assert unread_count(coordinator) == 1
    assert [row.pk for row in page(coordinator, unread=False).rows] == [loud.pk]
    # the offices' own people are told of each
    assert unread_count(world.own.clerk) - 1 == 15
    assert broken() == []


def test_a_digest_is_not_repeated_for_rungs_asked_for_again(world):
    """Also not when the first task of the batch, whose name its key bears, is missing the second time."""
    tasks = [task_of(world, key=f"many{n}") for n in range(30)]
    scan(at=LADDER["overdue"])
    Task.objects.filter(pk__in=[task.pk for task in tasks[1:]]).update(next_check_at=LADDER["overdue"])
    assert scan(at=LADDER["overdue"]).notified == 0
    assert Notification.objects.filter(kind="digest.overdue").count() == 1


def test_a_few_are_told_one_by_one(world):
    for n in range(20):
        task_of(world, key=f"many{n}")
    scan(at=LADDER["overdue"])
    assert unread_count(world.people["coordinator"]) == 20
    assert not Notification.objects.filter(kind__startswith="digest.").exists()


def test_the_digest_counts_over_the_chunks_of_a_tick(world, monkeypatch):
    monkeypatch.setitem(scanning.CHUNK, connection.vendor, 10)
    for n in range(40):
        task_of(world, key=f"many{n}")
    scan(at=LADDER["overdue"])
    titles = list(
        Delivery.objects.filter(recipient=world.people["coordinator"], read_at=None)
        .order_by("id")
        .values_list("notification__title", flat=True)
    )
    assert sum(title.startswith("已逾期") for title in titles) == 20
    assert [title for title in titles if title.startswith("本次")] == ["本次新增逾期10项,涉及1个处室"] * 2
    assert broken() == []


def test_somebody_of_the_office_who_also_coordinates_is_told_of_each(world):
    Membership.objects.create(user=world.people["coordinator"], office=world.own.office)
    for n in range(25):
        task_of(world, key=f"many{n}")
    scan(at=LADDER["overdue"])
    assert unread_count(world.people["coordinator"]) == 25


# ------------------------------------------------------------------ several at once


@pytest.mark.django_db(transaction=True)
def test_five_scanners_at_once_warn_once(monkeypatch):
    world = build()
    monkeypatch.setitem(scanning.CHUNK, connection.vendor, 7)
    tasks = [task_of(world, side, key=f"many{n}") for n in range(100) for side in world.sides]
    barrier, results, errors = threading.Barrier(5), [], []

    def work():
        try:
            barrier.wait(10)
            for _ in range(200):
                result = scan(at=LADDER["overdue"], limit=14)
                results.append(result)
                if not Task.objects.filter(next_check_at__lte=LADDER["overdue"]).exists():
                    break
        except Exception as error:
            errors.append(error)
        finally:
            close_old_connections()
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert sum(result.warned for result in results) == 4 * len(tasks) == OverdueWarning.objects.count()
    assert Notification.objects.filter(kind="warning.overdue").count() == len(tasks)
    for task in tasks[:4]:
        assert told(task, "overdue") >= {"coordinator"}
        assert len(told(task, "overdue")) == 3
    assert Task.objects.filter(state=TaskState.ISSUED, next_check_at=LADDER["late3"]).count() == len(tasks)
    assert broken() == []
    assert list(breaks()) == []
