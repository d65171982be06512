"""From the real notice to tasks: what is planned, what the preview says, and issuing once."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from threading import Barrier

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import Actor
from accounts.errors import BadInput, NotAllowed
from accounts.grants import Power, grant
from accounts.models import Membership, Office, User
from audit.models import AuditEntry
from notifications.models import Delivery, Notification
from schemes.errors import AlreadyIssued
from schemes.models import SchemeVersion
from schemes.operations import import_document, roll
from tasks.issuing import assign_extra, issue, preview
from tasks.models import Task
from tasks.planning import plan
from tests.notices import SMALL, jiaxing, read

AT = datetime(2017, 9, 13, 1, 0, tzinfo=UTC)  # 09:00 in Jiaxing
SYSTEM = Actor.system("test")
PLAN = plan(jiaxing())


@pytest.fixture
def version(db):
    return import_document(document=jiaxing(), actor=SYSTEM, at=AT)


def office(name):
    return Office.objects.get(name=name)


def join(name, *, role="clerk", to="综合处", **dates):
    user = User.objects.create(username=name, name=name)
    Membership.objects.create(user=user, office=office(to), role=role, **dates)
    return user


def coordinator(of="嘉兴市新居民事务局"):
    user = User.objects.create(username="统筹", name="统筹")
    grant(user=user, power=Power.COORDINATE, office=office(of))
    return Actor.person(user)


# --- the plan


def dues(quote, role="responsible"):
    return [task.due.isoformat() for task in PLAN if task.quote.startswith(quote) and task.role == role]


def test_each_month_by_the_fifth():
    assert dues("每月5日前报送") == [f"2017-{month:02}-05" for month in range(1, 13)]


def test_the_report_of_december_is_due_in_january_and_belongs_to_this_year():
    expected = [f"2017-{month:02}-05" for month in range(2, 13)] + ["2018-01-05"]
    assert dues("次月5日前上报") == expected
    last = [task for task in PLAN if task.due == date(2018, 1, 5)]
    assert [(task.row, task.clause, task.period) for task in last] == [("1.15", 4, "2017-12")]


def test_each_quarter():
    assert dues("每季向", "collect") == ["2017-03-31", "2017-06-30", "2017-09-30", "2017-12-31"]


def test_the_fourteen_fixed_dates():
    fixed = {(task.row, task.clause, task.deadline_position): task.due for task in PLAN if task.fixed}
    assert len(fixed) == 14
    assert Counter(due.isoformat() for due in fixed.values()) == {
        "2017-03-31": 1,
        "2017-04-30": 2,
        "2017-05-31": 3,
        "2017-06-30": 2,
        "2017-08-31": 1,
        "2017-09-30": 4,
        "2017-12-31": 1,
    }
    assert sum(due < date(2017, 9, 13) for due in fixed.values()) == 9


def test_every_clause_is_in_somebodys_task():
    """Of each row, an answering office has the clause itself or the row's report at the end of the cycle."""
    for row in jiaxing().rows:
        tasks = [task for task in PLAN if task.row == row.code and task.role != "provide"]
        own = {task.clause_position for task in tasks}
        for position, clause in enumerate(row.clauses):
            dated = any(entry.makes_tasks for entry in clause.deadlines)
            assert (position if dated else None) in own, (row.code, clause.no)


def test_offices_of_single_clauses_have_tasks_of_their_own():
    parts = {(task.office, task.points, task.by_cycle) for task in PLAN if task.row == "1.22"}
    assert parts == {("机关党支部", Decimal("0.8"), True), ("综合处", Decimal("0.7"), True)}
    undivided = {(task.office, task.clause, task.points) for task in PLAN if task.row == "2.03"}
    assert undivided == {("综合处", None, None), ("机关党支部", None, None), ("机关党支部", 5, None)}


def test_what_has_no_date_is_marked_as_reported_by_the_declared_cycle():
    whole = [task for task in PLAN if task.row == "1.01"]
    assert [(task.by_cycle, task.due, task.points, task.clause) for task in whole] == [
        (True, date(2017, 12, 31), Decimal(18), None)
    ]
    assert whole[0].quote == jiaxing().reporting_cycle["reading"]
    rest = next(task for task in PLAN if task.row == "1.13" and task.by_cycle and task.role == "collect")
    assert rest.points == Decimal("0.8")  # the row's 1 without the 0.2 of the quarterly clause


def test_who_provides_and_who_collects():
    row = [task for task in PLAN if task.row == "1.03" and task.clause == 6]
    assert {(task.office, task.role, task.collector) for task in row} == {
        ("监督协调处", "provide", "综合处"),
        ("登记管理处", "provide", "综合处"),
        ("机关党支部", "provide", "综合处"),
        ("综合处", "collect", None),
    }


def test_section_three_is_carried_out():
    assert {(task.office, task.role) for task in PLAN if task.row.startswith("3.")} == {("综合处", "implement")}


def test_another_year():
    tasks = plan(jiaxing(), year=2024)
    assert {task.due for task in tasks if task.quote.startswith("9月底实现")} == {date(2024, 9, 30)}


# --- list_due


def listed(*args):
    out = StringIO()
    call_command("list_due", "jiaxing-2017", *args, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.mark.django_db
def test_list_due_prints_one_line_per_task():
    lines = listed("--year", "2017", "--json")
    assert len(lines) == len(PLAN)
    assert set(lines[0]) == {"office", "role", "row", "clause", "period", "due", "quote"}
    monthly = [line for line in lines if line["quote"].startswith("次月5日前")]
    assert monthly[-1] == {
        "office": "登记管理处",
        "role": "responsible",
        "row": "1.15",
        "clause": 4,
        "period": "2017-12",
        "due": "2018-01-05",
        "quote": monthly[-1]["quote"],
    }
    assert all(line["due"].startswith(("2026", "2027-01-05")) for line in listed("--year", "2026", "--json"))


def test_list_due_is_the_same_once_imported(version):
    lines = listed("--year", "2017", "--json")
    issue(version=version, actor=SYSTEM, at=AT)
    assert listed("--year", "2017", "--json") == lines
    with pytest.raises(CommandError, match="没有找到"):
        call_command("list_due", "nothing", "--json")


# --- preview


def test_preview_counts_what_issuing_makes(version):
    found = preview(version=version, at=AT)
    result = issue(version=version, actor=SYSTEM, at=AT)
    assert len(found.tasks) == result.created == Task.objects.count() == 238
    assert str(found) == f"4个处室,238项任务,{len(found.warnings)}条提醒"


def test_preview_names_dates_that_are_past(version):
    found = preview(version=version, at=AT)
    fixed = {(task.row, task.clause, task.deadline_position) for task in found.already_past if task.fixed}
    assert len(fixed) == 9
    assert found.before_issue == len(found.already_past) == sum(task.due < date(2017, 9, 13) for task in PLAN)
    messages = [warning.message for warning in found.warnings if warning.kind == "past"]
    assert any("2017-08-31" in message for message in messages)
    assert any("已有9期截止(最近2017-09-05)" in message for message in messages)


def test_preview_names_offices_without_a_living_person(version):
    join("甲")
    join("乙", role="head", to="登记管理处")
    join("丙", to="监督协调处", valid_to=date(2017, 6, 30))
    gone = join("丁", to="机关党支部")
    gone.is_active = False
    gone.save()
    found = preview(version=version, at=AT)
    assert {warning.office for warning in found.warnings if warning.kind == "nobody"} == {"监督协调处", "机关党支部"}
    assert {warning.office for warning in found.warnings if warning.kind == "no_head"} == {"综合处"}
    assert {task.office for task in found.without_person} == {"监督协调处", "机关党支部"}
    assert {"inherited", "doubts", "cycle"} <= {warning.kind for warning in found.warnings}


def test_preview_changes_nothing(version):
    entries = AuditEntry.objects.count()
    preview(version=version, at=AT)
    assert (Task.objects.count(), AuditEntry.objects.count()) == (0, entries)


# --- issuing


def test_issued_tasks_carry_the_words_points_and_moments(version):
    issue(version=version, actor=SYSTEM, at=AT)
    task = Task.objects.get(indicator__code="1.03", clause__no=1, office__name="综合处")
    assert (task.quote, task.points, task.state, task.revision) == ("9月底实现", Decimal("0.5"), "issued", 0)
    assert task.due_at == datetime(2017, 9, 30, 15, 59, 59, 999999, tzinfo=UTC)
    assert (task.period, task.due_date, task.deadline.kind) == ("2017-09-30", date(2017, 9, 30), "month_end")
    assert (task.issued_at, task.held_since, task.due_before_issue, task.by_cycle) == (AT, AT, False, False)
    assert AT < task.next_check_at < task.due_at
    december = Task.objects.get(indicator__code="1.15", period="2017-12")
    assert (december.due_date, december.version.year) == (date(2018, 1, 5), 2017)


def test_what_was_due_before_the_issue_is_marked_and_warns_nobody_of_the_past(version):
    issue(version=version, actor=SYSTEM, at=AT)
    late = Task.objects.filter(due_before_issue=True)
    fixed = late.filter(deadline__kind__in=["month_end", "year_end"])
    assert fixed.order_by().values("deadline").distinct().count() == 9
    assert late.filter(indicator__code="1.15").count() == 8
    assert not late.filter(next_check_at__lte=AT).exists()


def test_providing_tasks_are_linked_to_the_collecting_one(version):
    issue(version=version, actor=SYSTEM, at=AT)
    provided = Task.objects.filter(role="provide").select_related("collected_by")
    assert provided.count() == 117
    for task in provided:
        whole = task.collected_by
        assert (whole.role, whole.indicator_id, whole.clause_id, whole.deadline_id, whole.period) == (
            "collect",
            task.indicator_id,
            task.clause_id,
            task.deadline_id,
            task.period,
        )
    assert {whole.provided.count() for whole in Task.objects.filter(role="collect")} == {3}


def test_issuing_twice_makes_nothing_twice(version):
    join("甲")
    first = issue(version=version, actor=SYSTEM, at=AT)
    rows = Task.objects.count(), Notification.objects.count(), AuditEntry.objects.count()
    again = issue(version=version, actor=SYSTEM, at=AT)
    assert (first.created, first.existing, again.created, again.existing) == (238, 0, 0, 238)
    assert (Task.objects.count(), Notification.objects.count(), AuditEntry.objects.count()) == rows


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_make_one_issue():
    version = import_document(document=jiaxing(), actor=SYSTEM, at=AT)
    together = Barrier(2)

    def click():
        try:
            together.wait(timeout=10)
            return issue(version=SchemeVersion.objects.get(pk=version.pk), actor=SYSTEM, at=AT)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        results = [clicked.result() for clicked in [pool.submit(click), pool.submit(click)]]
    assert sorted((result.created, result.existing) for result in results) == [(0, 238), (238, 0)]
    assert Task.objects.count() == 238


def test_an_interrupted_issue_is_completed(version):
    issue(version=version, actor=SYSTEM, at=AT)
    Task.objects.filter(role="provide", office__name="登记管理处").delete()
    type(version).objects.update(status="draft", issued_at=None)
    result = issue(version=version, actor=SYSTEM, at=AT)
    assert (result.created, result.existing) == (39, 199)
    assert not Task.objects.filter(role="provide", collected_by=None).exists()


def test_one_message_per_office(version):
    people = [join("甲"), join("乙"), join("丙", to="登记管理处")]
    issue(version=version, actor=SYSTEM, at=AT)
    told = Delivery.objects.filter(notification__kind="scheme.issued")
    assert sorted(told.values_list("recipient_id", flat=True)) == sorted(person.pk for person in people)
    assert told.get(recipient=people[2]).notification.title == "已下达67项任务,请签收"


def test_issuing_is_on_record(version):
    issue(version=version, actor=SYSTEM, at=AT)
    entry = AuditEntry.objects.get(verb="scheme.issued")
    assert (entry.subject_id, entry.detail["offices"], entry.detail["tasks"]) == (version.pk, 4, 238)
    assert (version.status, version.issued_at) == ("issued", AT)


def test_only_a_coordinator_issues(version):
    for actor in (Actor.person(join("甲")), coordinator(of="综合处")):
        with pytest.raises(NotAllowed):
            issue(version=version, actor=actor, at=AT)
    assert not Task.objects.exists()
    grant(user=actor.user, power=Power.COORDINATE, office=version.unit)
    assert issue(version=version, actor=actor, at=AT).created == 238


def test_a_coordinator_reaches_no_office_of_others(version):
    Office.objects.filter(name="登记管理处").update(parent=None)
    with pytest.raises(NotAllowed):
        issue(version=version, actor=coordinator(), at=AT)


def test_one_edition_of_a_year_is_in_force(version):
    issue(version=version, actor=SYSTEM, at=AT)
    second = import_document(document=replace(jiaxing(), title="更正"), actor=SYSTEM, at=AT)
    with pytest.raises(AlreadyIssued, match="第1版已经下达"):
        issue(version=second, actor=SYSTEM, at=AT)
    next_year = roll(version=version, year=2018, actor=SYSTEM, at=AT)
    assert issue(version=next_year, actor=SYSTEM, at=AT).created == 238


def test_an_office_renamed_after_the_import_keeps_its_tasks(version):
    pk = office("登记管理处").pk
    Office.objects.filter(pk=pk).update(name="服务管理处")
    issue(version=version, actor=SYSTEM, at=AT)
    assert Task.objects.filter(office_id=pk).count() == 67


def test_the_number_of_queries_does_not_grow_with_the_tasks(version):
    small = import_document(document=read(SMALL), actor=SYSTEM, at=AT)
    counts = []
    for found in (small, version):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            issue(version=found, actor=SYSTEM, at=AT)
        counts.append(len(queries))
    assert counts[0] == counts[1] < 40


def test_issue_command(version):
    def run(*args):
        out = StringIO()
        call_command("issue_scheme", "jiaxing-2017", *args, stdout=out)
        return out.getvalue()

    assert run("--preview").startswith("4个处室,238项任务,")
    assert not Task.objects.exists()
    assert "新建238项任务,原有0项" in run()
    assert "新建0项任务,原有238项" in run()


# --- an extra matter


@pytest.fixture
def issued(version):
    issue(version=version, actor=SYSTEM, at=AT)
    return version


def extra(issued, **changes):
    given = {
        "version": issued,
        "indicator": issued.indicators.get(code="1.24"),
        "office": office("登记管理处"),
        "title": "报送出租房排查情况",
        "due_at": datetime(2017, 9, 20, 4, 0, tzinfo=UTC),
        "actor": SYSTEM,
        "at": AT,
    }
    return assign_extra(**given | changes)


def test_an_extra_matter_has_its_exact_instant(issued):
    clerk = join("丙", to="登记管理处")
    task = extra(issued, actor=coordinator())
    assert (task.due_at, task.due_date) == (datetime(2017, 9, 20, 4, 0, tzinfo=UTC), date(2017, 9, 20))
    assert (task.assigned_extra, task.clause, task.quote) == (True, None, "报送出租房排查情况")
    assert AT < task.next_check_at <= task.due_at
    assert AuditEntry.objects.filter(verb="task.assigned", subject_id=task.pk).exists()
    assert Delivery.objects.filter(notification__kind="task.assigned", recipient=clerk).count() == 1


def test_an_extra_matter_clicked_twice_is_one_task(issued):
    assert extra(issued) == extra(issued)
    assert Task.objects.filter(assigned_extra=True).count() == 1
    assert extra(issued, title="另一事项") != extra(issued)


def test_extra_matters_that_are_refused(issued):
    for actor in (Actor.person(join("甲", to="登记管理处", role="head")), coordinator(of="综合处")):
        with pytest.raises(NotAllowed):
            extra(issued, actor=actor)
    Office.objects.filter(name="登记管理处").update(valid_to=date(2017, 1, 1))
    other = roll(version=issued, year=2018, actor=SYSTEM, at=AT)
    with pytest.raises(BadInput) as refusal:
        extra(issued, title=" ", due_at=AT, indicator=other.indicators.get(code="1.24"))
    assert set(refusal.value.problems) == {"title", "due_at", "indicator", "office"}
    with pytest.raises(BadInput, match="没有下达"):
        extra(other, indicator=other.indicators.get(code="1.24"), office=office("综合处"))
