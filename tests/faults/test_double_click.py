"""Two clicks at the same instant, at the real server: one effect, and both people get an answer in words.

The same file runs on SQLite and on PostgreSQL. The last tests show what the guards are for: without the flow's lock the
same clicks leave two of everything.
"""

import json
import re
import threading
from contextlib import suppress
from uuid import uuid4

import pytest
from django.db import connection, transaction
from viewflow.workflow.base import Flow
from viewflow.workflow.lock import no_lock
from viewflow.workflow.status import STATUS

from tasks.models import Task
from tests.faults.browsers import Answer, Browser, Click, hidden, statuses, together
from tests.world import PASSWORD
from workflow import flows
from workflow.models import WorkProcess, WorkStep

SUBMITS, OTHERS, CARDS, SCHEMES = 50, 12, 3, 4
REASON = "数据与台账不符,请核对"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
FILL = f"""
import json
from accounts.actors import Actor
from accounts.grants import Power, grant
from accounts.models import Membership, Office
from audit.operations import record
from django.db import transaction
from schemes.operations import import_document
from tests.notices import read, spoilt
from tests.world import build, make_submission, make_task, person

with transaction.atomic():
    w = build()
    clerk = Actor.person(w.own.clerk)
    second = person("clerk_two", "甲测试处经办人二")
    Membership.objects.create(user=second, office=w.own.office)
    extra = person("reviewer_two", "审核人二")
    grant(user=extra, power=Power.REVIEW, office=w.root)

    def tasks(state, count, name):
        made = [make_task(w, w.own, state, key=f"{{name}}{{n}}") for n in range(count)]
        for task in made:
            if state != "issued":
                record(actor=clerk, at=task.accepted_at, verb="task.accepted", subject=task, office_id=task.office_id)
            if state in ("confirming", "reviewing"):
                row = make_submission(w, w.own, task)
                record(actor=clerk, at=row.submitted_at, verb="task.submitted", subject=task, office_id=task.office_id,
                       detail={{"number": 1, "submission": row.pk, "files": []}})
        return [task.pk for task in made]

    found = {{
        "accept": tasks("issued", {OTHERS}, "a"),
        "submit": tasks("accepted", {SUBMITS}, "s"),
        "upload": tasks("accepted", {OTHERS}, "u"),
        "confirm": tasks("confirming", {OTHERS}, "c"),
        "same": tasks("reviewing", {OTHERS}, "r"),
        "other": tasks("reviewing", {OTHERS}, "o"),
        "cards": [side.scorecard.pk for side in w.sides],
        "indicator": w.own.indicator.pk, "clause": w.own.clause.pk, "rule": w.own.rule.pk,
        "versions": [],
    }}
    for n in range({SCHEMES}):
        document = read(spoilt(("key: small", f"key: small{{n}}")).decode())
        version = import_document(document=document, actor=Actor.system("test"), at=w.now)
        found["versions"].append(version.pk)
    grant(user=w.people["coordinator"], power=Power.COORDINATE, office=Office.objects.get(name="甲局"))
    for n, office in enumerate(Office.objects.filter(parent__name="甲局")):
        Membership.objects.create(user=person(f"small{{n}}", f"小处{{n}}"), office=office, role="head")
print(json.dumps(found))
"""
COUNTS = """
import json
from collections import Counter
from assessments.models import Finding, Review, SignOff
from audit.models import AuditEntry
from notifications.models import Delivery, Notification
from tasks.models import Evidence, Submission, Task
from workflow.models import WorkProcess, WorkStep
ids = {ids}
def per(rows, field):
    found = Counter(rows.order_by().values_list(field, flat=True))
    return sorted(set(found[pk] for pk in ids))
def entries(verb):
    return per(AuditEntry.objects.filter(verb=verb, subject_type="tasks.task", subject_id__in=ids), "subject_id")
def steps(node):
    rows = WorkStep.objects.filter(process__subject_task__in=ids, status="DONE", flow_task__endswith="." + node)
    return per(rows, "process__subject_task_id")
print(json.dumps({expression}, default=str))
"""


@pytest.fixture(scope="module")
def site(_live_databases):
    """The application with its people logged in, and the keys of what they work on."""
    app = _live_databases.new({"LOG_LEVEL": "WARNING"})
    app.site = json.loads(app.shell(FILL).splitlines()[-1])
    app.start()
    app.people = {
        name: Browser(app.url, name).log_in()
        for name in ("clerk", "clerk_two", "head", "reviewer", "reviewer_two", "coordinator", "leader")
    }
    yield app
    for browser in app.people.values():
        browser.close()
    try:  # whatever was clicked, and in whatever order
        app.manage("verify")
        assert "Traceback" not in app.log(10**7), app.log()
    finally:
        app.stop()


def counted(app, ids: list[int], expression: str):
    return json.loads(app.shell(COUNTS.format(ids=ids, expression=expression)).splitlines()[-1])


def said(answer: Answer) -> str:
    """What a refused page says: its reason, in Chinese and without a stack trace."""
    assert CHINESE.search(answer.text)
    assert "Traceback" not in answer.text
    return answer.text


def test_fifty_double_submits(site):
    for number, pk in enumerate(site.site["submit"]):
        clerk = site.people[("clerk", "clerk_two")[number % 2]]
        form = hidden(clerk.get(f"/work/tasks/{pk}/").text)
        sent = {k: form[k] for k in ("csrfmiddlewaretoken", "token", "revision", "base")} | {"text": "同时", "v0": "96"}
        click = Click.of(clerk, f"/work/tasks/{pk}/submit/", sent)
        answers = together(click, click)
        assert [(a.status, a.location) for a in answers] == [(302, f"/work/tasks/{pk}/")] * 2, said(answers[-1])
    found = counted(
        site,
        site.site["submit"],
        """{
            "submissions": per(Submission.objects.filter(task__in=ids), "task_id"),
            "filed": Submission.objects.filter(task__in=ids, submitted_at__isnull=False, number=1).count(),
            "entries": entries("task.submitted"),
            "steps": steps("submit"),
            "next": per(WorkStep.objects.filter(process__subject_task__in=ids, status="NEW",
                        flow_task__endswith=".confirm"), "process__subject_task_id"),
            "told": Notification.objects.filter(kind="confirm").count(),
            "heads": Delivery.objects.filter(notification__kind="confirm").count(),
            "states": sorted(set(Task.objects.filter(pk__in=ids).values_list("state", "revision"))),
        }""",
    )
    assert found == {
        "submissions": [1],
        "filed": SUBMITS,
        "entries": [1],
        "steps": [1],
        "next": [1],
        "told": SUBMITS,
        "heads": SUBMITS,
        "states": [["confirming", 1]],
    }


def test_double_accept(site):
    for number, pk in enumerate(site.site["accept"]):
        clerk = site.people["clerk"]
        if number % 3:  # the same person twice: nothing to complain about
            click = Click.of(clerk, f"/work/tasks/{pk}/accept/", {})
            assert statuses(together(click, click)) == [302, 302]
            continue
        clicks = [Click.of(site.people[name], f"/work/tasks/{pk}/accept/", {}) for name in ("clerk", "clerk_two")]
        answers = together(*clicks)  # two colleagues: one is told who was first
        assert statuses(answers) == [302, 409]
        first = ("甲测试处经办人二", "甲测试处经办人")[answers[0].status == 302]
        loser = next(a for a in answers if a.status == 409)
        assert f"已由{first}于" in said(loser)
    ids = site.site["accept"]
    expression = '{"entries": entries("task.accepted"), "steps": steps("accept"), "processes": WorkProcess.objects.filter(subject_task__in=ids).count()}'  # noqa: E501
    assert counted(site, ids, expression) == {"entries": [1], "steps": [1], "processes": OTHERS}


def test_double_confirm(site):
    for pk in site.site["confirm"]:
        click = Click.of(site.people["head"], f"/work/tasks/{pk}/confirm/", {"outcome": "approved", "revision": "0"})
        answers = together(click, click)
        assert statuses(answers) == [302, 409]
        assert "已由甲测试处负责人于" in said(next(a for a in answers if a.status == 409))
    ids = site.site["confirm"]
    found = counted(
        site,
        ids,
        """{
            "reviews": per(Review.objects.filter(submission__task__in=ids), "submission__task_id"),
            "entries": entries("task.confirmed"), "steps": steps("confirm"),
            "told": len({n.key for n in Notification.objects.filter(kind="review", url__in=[f"/work/tasks/{i}/" for i in ids])}),
        }""",  # noqa: E501
    )
    assert found == {"reviews": [1], "entries": [1], "steps": [1], "told": OTHERS}


def test_two_reviewers_at_once(site):
    """Approve and approve; approve and return: one decision, and the other person reads whose it is."""
    returned = []
    for ids, second in ((site.site["same"], "approved"), (site.site["other"], "returned")):
        for pk in ids:
            path = f"/work/tasks/{pk}/review/"
            answers = together(
                Click.of(site.people["reviewer"], path, {"outcome": "approved", "revision": "0"}),
                Click.of(
                    site.people["reviewer_two"],
                    path,
                    {
                        "outcome": second,
                        "revision": "0",
                        "reason": "数据与台账不符,请核对" if second == "returned" else "",
                    },
                ),
            )
            assert statuses(answers) == [302, 409]
            winner = 0 if answers[0].status == 302 else 1
            loser = said(answers[1 - winner])
            assert f"已由{('甲测试处审核人', '审核人二')[winner]}于" in loser
            if second == "returned" and winner == 0:
                assert REASON in loser, "what the loser wrote is gone"
            if second == "returned" and winner == 1:
                returned.append(pk)
    ids = site.site["same"] + site.site["other"]
    found = counted(
        site,
        ids,
        """{
            "reviews": per(Review.objects.filter(submission__task__in=ids), "submission__task_id"),
            "approved": AuditEntry.objects.filter(verb="task.approved", subject_id__in=ids).count(),
            "returned": sorted(AuditEntry.objects.filter(verb="task.returned", subject_id__in=ids).values_list("subject_id", flat=True)),
            "drafts": sorted(Submission.objects.filter(task__in=ids, submitted_at=None).values_list("task_id", flat=True)),
            "steps": steps("review"),
        }""",  # noqa: E501
    )
    assert found == {
        "reviews": [1],
        "approved": 2 * OTHERS - len(returned),
        "returned": sorted(returned),
        "drafts": sorted(returned),
        "steps": [1],
    }


def test_double_uploads(site):
    """The same file twice is one piece of evidence; so it is in two tasks at once, and its content is stored once."""
    ids, content = site.site["upload"], "同一份材料".encode()
    for first, second in zip(ids[::2], ids[1::2], strict=True):
        clicks = [
            Click.upload(site.people["clerk"], f"/tasks/{pk}/files/", "材料.txt", content) for pk in (first, second) * 2
        ]
        assert statuses(together(*clicks)) == [302] * 4
    found = counted(
        site,
        ids,
        """{
            "evidence": per(Evidence.objects.filter(submission__task__in=ids), "submission__task_id"),
            "drafts": per(Submission.objects.filter(task__in=ids), "task_id"),
            "entries": entries("task.evidence_added"),
            "blobs": Evidence.objects.filter(submission__task__in=ids).values("blob").distinct().count(),
        }""",
    )
    assert found == {"evidence": [1], "drafts": [1], "entries": [1], "blobs": 1}


def test_double_findings_and_voids(site):
    reviewer, card = site.people["reviewer"], site.site["cards"][0]
    place = {name: str(site.site[name]) for name in ("indicator", "clause", "rule")}
    page = reviewer.get(f"/work/scorecards/{card}/findings/new/?" + "&".join(f"{k}={v}" for k, v in place.items())).text
    assert hidden(page)["token"]
    today = re.search(r"\d{4}-\d\d-\d\d", site.shell("from django.utils import timezone; print(timezone.localdate())"))
    for number in range(OTHERS):
        form = place | {
            "token": uuid4().hex,
            "count": "1",
            "occurred_on": today[0],
            "source": f"通报{number}",
            "note": "数据错误",
        }
        click = Click.of(reviewer, f"/work/scorecards/{card}/findings/new/", form)
        assert statuses(together(click, click)) == [302, 302]
    expression = '{"findings": per(Finding.objects.filter(source__in=[f"通报{n}" for n in range(99)]), "source"), "all": Finding.objects.filter(source__startswith="通报").count(), "entries": AuditEntry.objects.filter(verb="finding.recorded").count(), "pks": list(Finding.objects.filter(source__startswith="通报").values_list("pk", flat=True))}'  # noqa: E501
    found = counted(site, [], expression)
    assert found["all"] == OTHERS
    assert found["entries"] == OTHERS + 2
    for pk in found["pks"][:5]:
        click = Click.of(reviewer, f"/work/scorecards/{card}/findings/{pk}/void/", {"reason": "登记重复"})
        answers = together(click, click)
        assert statuses(answers) == [302, 409]
        assert "已由甲测试处审核人于" in said(next(a for a in answers if a.status == 409))
    assert counted(site, [], 'AuditEntry.objects.filter(verb="finding.voided").count()') == 5


def test_double_finish_sign_and_reopen(site):
    card = site.site["cards"][1]
    leader, reviewer = site.people["leader"], site.people["reviewer_two"]
    for _ in range(CARDS):
        page = reviewer.get(f"/work/scorecards/{card}/").text
        click = Click.of(reviewer, f"/work/scorecards/{card}/finish/", {"revision": hidden(page)["revision"]})
        assert statuses(together(click, click)) == [302, 409]
        form = hidden(leader.get(f"/work/scorecards/{card}/sign/").text)
        sent = {name: form[name] for name in ("digest", "revision")} | {"opinion": "同意", "password": PASSWORD}
        click = Click.of(leader, f"/work/scorecards/{card}/sign/", sent)
        answers = together(click, click)
        assert statuses(answers) == [302, 409]
        said(next(a for a in answers if a.status == 409))
        click = Click.of(leader, f"/work/scorecards/{card}/sign/reopen/", {"reopen-reason": "上级通报更正"})
        answers = together(click, click)
        assert statuses(answers) == [302, 409]
    found = counted(
        site,
        [],
        f"""{{
            "signed": SignOff.objects.filter(scorecard={card}).count(),
            "standing": SignOff.objects.filter(scorecard={card}, withdrawn_at=None).count(),
            "verbs": {{verb: AuditEntry.objects.filter(verb="scorecard." + verb, subject_id={card}).count()
                       for verb in ("finished", "signed", "reopened")}},
            "steps": {{node: WorkStep.objects.filter(process__scorecard={card}, status="DONE",
                       flow_task__endswith="." + node).count() for node in ("score", "sign", "standing")}},
        }}""",
    )
    assert found == {
        "signed": CARDS,
        "standing": 0,
        "verbs": dict.fromkeys(("finished", "signed", "reopened"), CARDS),
        "steps": dict.fromkeys(("score", "sign", "standing"), CARDS),
    }


def test_double_issue(site):
    coordinator = site.people["coordinator"]
    for pk in site.site["versions"]:
        click = Click.of(coordinator, f"/work/issue/{pk}/", {})
        assert statuses(together(click, click)) == [302, 302]
    found = counted(
        site,
        site.site["versions"],
        """{
            "tasks": sorted(set(Counter(Task.objects.filter(version__in=ids).values_list("version_id", flat=True)).values())),
            "entries": AuditEntry.objects.filter(verb="scheme.issued", subject_id__in=ids).count(),
            "told": Notification.objects.filter(kind="scheme.issued").count(),
        }""",  # noqa: E501
    )
    assert len(found["tasks"]) == 1
    assert found["entries"] == SCHEMES
    assert found["told"] == SCHEMES * 3


# ------------------------------------------------------------------ what the guards are for


def all_flows() -> list[type]:
    found, waiting = [], [Flow]
    while waiting:
        for flow in waiting.pop().__subclasses__():
            waiting.append(flow)
            if flow.__module__.startswith("workflow"):
                found.append(flow)
    return found


def test_every_flow_waits_for_its_lock():
    assert {flow.__name__ for flow in all_flows()} >= {"TaskFlow", "ScorecardFlow"}
    assert [flow for flow in all_flows() if flow.lock_impl is not flows.WAITING_LOCK] == []
    assert (flows.WAITING_LOCK.nowait, flows.WAITING_LOCK.attempts) == (False, 1)


@pytest.mark.sqlite_only
@pytest.mark.django_db(transaction=True)
def test_sqlite_runs_with_the_options_that_make_it_wait():
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert cursor.execute("PRAGMA busy_timeout").fetchone() == (20_000,)
        assert cursor.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert connection.transaction_mode == "IMMEDIATE"
    statements = []
    connection.connection.set_trace_callback(statements.append)
    with transaction.atomic():
        pass
    connection.connection.set_trace_callback(None)
    assert statements[0] == "BEGIN IMMEDIATE"


def clicks_on_one_step(world) -> int:
    """How many of two simultaneous executions of the same step go through."""
    process = WorkProcess.objects.get(subject_task=world.own.tasks["reviewing"])
    seen = threading.Barrier(2)
    moved = []

    def step() -> None:
        # what workflow.operations does with a step, stopped at the moment when both have read it
        try:
            with flows.TaskFlow.lock(process.pk):
                found = WorkStep.objects.filter(
                    process_id=process.pk, status=STATUS.NEW, flow_task=flows.TaskFlow.review
                ).first()
                with suppress(threading.BrokenBarrierError):  # alone here: the other one waits for the lock
                    seen.wait(1.5)
                if found is None:
                    return
                activation = found.flow_task.activation_class(found)
                activation.assign(world.own.reviewer)
                activation.start(None)
                activation.execute()
                moved.append(found.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=step) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return len(moved)


@pytest.mark.postgres_only
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("guarded", "effects"), [(True, 1), (False, 2)])
def test_without_the_lock_a_step_runs_twice(world, monkeypatch, guarded, effects):
    Task.objects.filter(pk=world.own.tasks["reviewing"].pk).update(state="accepted", first_submitted_at=None)
    if not guarded:
        monkeypatch.setattr(flows.TaskFlow, "lock_impl", no_lock)
    assert clicks_on_one_step(world) == effects
    standing = WorkStep.objects.filter(
        process__subject_task=world.own.tasks["reviewing"], flow_task=flows.TaskFlow.submit, status="NEW"
    )
    assert standing.count() == effects
