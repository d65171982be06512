"""manage.py verify: holds for a sound world, and finds each kind of damage that it is there to find."""

import json
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.grants import Power, grant, revoke
from accounts.models import Membership, User
from assessments.models import ScoreEntry
from audit import guard
from audit.models import AuditEntry
from reports.invariants import INVARIANTS, verify
from tasks.files import path_of
from tasks.models import OverdueWarning, Task
from tests.world import make_task
from workflow.models import WorkStep


def broken(*only, at=None) -> dict[str, list[str]]:
    return {r.code: r.problems for r in verify(at=at or timezone.now(), only=only) if not r.holds}


def test_a_sound_world_holds(world):
    assert broken() == {}
    counts = {r.code: r.checked for r in verify(at=timezone.now())}
    assert all(counts[code] for code in ("I3", "I4", "I5", "I6", "I7", "I8"))


@pytest.fixture
def late(world):
    """A task whose whole ladder lies behind it, warned of each rung once."""
    now = world.now
    task = make_task(
        world,
        world.own,
        key="late",
        due_at=now - timedelta(days=30),
        issued_at=now - timedelta(days=60),
        next_check_at=None,
    )
    for step in ("before3", "before1", "due", "overdue", "late3", "late7"):
        OverdueWarning.objects.create(task=task, step=step, due_at=task.due_at, fired_at=now)
    return task


def test_a_missing_warning(late):
    assert not broken("I1")
    OverdueWarning.objects.filter(task=late, step="late3").delete()
    assert broken("I1") == {"I1": [f"任务 {late.pk} 的“late3”预警应有 1 次,实有 0 次"]}


def test_a_warning_of_another_due_date_does_not_count(late):
    OverdueWarning.objects.filter(task=late, step="due").update(due_at=late.due_at + timedelta(days=1))
    assert len(broken("I1")["I1"]) == 1


def test_a_task_that_nobody_will_look_at_again(world):
    Task.objects.filter(pk=world.own.task.pk).update(next_check_at=None)
    assert "不再有下一次检查" in broken("I1")["I1"][0]


def test_a_filed_task_is_warned_of_nothing(world):
    past = world.now - timedelta(days=30)
    Task.objects.filter(pk=world.own.tasks["reviewing"].pk).update(due_at=past, issued_at=past - timedelta(days=30))
    assert not broken("I1")


def test_files(world):
    path = path_of(world.own.evidence.blob.sha256)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    assert "内容被改动" in broken("I3")["I3"][0]
    assert not [r for r in verify(at=timezone.now(), quick=True, only=["I3"]) if not r.holds]
    path.write_bytes(content + b"x")
    assert "大小不符" in broken("I3")["I3"][0]
    path.unlink()
    assert "读不到" in broken("I3")["I3"][0]
    path.write_bytes(content)
    path_of(world.own.draft_evidence.blob.sha256).unlink()
    assert "读不到" in broken("I8")["I8"][0]
    assert not broken("I3")


def test_an_orphan_file_counts_after_a_day(world):
    path = path_of("0" * 64)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert not broken("I8")
    assert "不属于任何材料" in broken("I8", at=timezone.now() + timedelta(hours=25))["I8"][0]


def test_a_submission_without_its_entry_or_step(world):
    guard.remove(connection)
    try:
        AuditEntry.objects.filter(verb="task.submitted", subject_id=world.own.tasks["reviewing"].pk)._raw_delete(
            "default"
        )
    finally:
        guard.install(connection)
    found = broken()
    assert f"报送 {world.own.submission.pk}" in found["I3"][0]
    assert "报送:数据 4 条,留痕 3 条" in found["I4"]
    assert "I5" in found


def test_a_missing_step_of_the_flow(world):
    WorkStep.objects.filter(process__subject_task=world.own.tasks["reviewing"], status="DONE").last().delete()
    assert "流程完成报送 0 次" in broken("I3")["I3"][0]
    WorkStep.objects.filter(process__subject_task=world.own.tasks["confirming"], status="NEW").delete()
    assert "流程停在 (无)" in broken("I6")["I6"][0]


def test_a_decision_without_an_entry(world):
    make_task(world, world.own, "accepted", key="more")
    assert broken("I4") == {"I4": ["签收:数据 7 条,留痕 6 条"]}


def test_nobody_there(world):
    User.objects.filter(pk__in=[world.own.clerk.pk, world.own.head.pk]).update(is_active=False)
    found = broken("I6")["I6"]
    assert [p.split(":")[1] for p in found] == ["甲测试处无人在岗", "甲测试处无人在岗", "甲测试处没有可确认的负责人"]


def test_the_only_head_filed_it(world):
    submission = world.own.tasks["confirming"].submissions.get()
    submission.submitted_by = world.own.head
    submission.save()
    assert "没有可确认的负责人" in broken("I6")["I6"][0]


def test_no_reviewer_from_outside(world):
    Membership.objects.create(user=world.own.reviewer, office=world.own.office)
    found = broken("I6")["I6"]
    assert [p.split(":")[1] for p in found] == ["甲测试处的报送无人可审核", "甲测试处无人可评分"]
    revoke(user=world.own.reviewer, power=Power.REVIEW, office=world.own.office)
    assert broken("I6")["I6"] == found


def test_a_changed_score(world):
    ScoreEntry.objects.filter(scorecard=world.own.scorecard).update(earned=5)
    assert any("earned:存为5,应为4.9" in problem for problem in broken("I7")["I7"])


def test_powers_that_the_rules_do_not_know(world):
    world.own.clerk.user_permissions.add(Permission.objects.first())
    world.other.clerk.is_superuser = True
    world.other.clerk.save()
    grant(user=world.own.head, power=Power.AUDIT, office=world.own.office)
    found = broken("I8")["I8"]
    assert sum("不分机构的权限" in p for p in found) == 2
    assert sum("兼任" in p for p in found) == 1


def test_an_invariant_that_cannot_be_checked_is_broken_and_holds_up_no_other(world, monkeypatch):
    monkeypatch.setattr("reports.invariants.verify_scores", lambda version: 1 / 0)
    found = broken()
    assert list(found) == ["I7"]
    assert "无法检查:ZeroDivisionError" in found["I7"][0]


def test_command(world, capsys):
    call_command("verify")
    table = capsys.readouterr().out
    assert "7 项全部通过。" in table
    assert table.count("通过\n") >= len(INVARIANTS)
    Task.objects.update(next_check_at=None)
    with pytest.raises(SystemExit) as stopped:
        call_command("verify", "--json")
    assert stopped.value.code == 1
    told = json.loads(capsys.readouterr().out)
    assert told["holds"] is False
    assert [i["code"] for i in told["invariants"] if not i["holds"]] == ["I1"]
    with pytest.raises(SystemExit):
        call_command("verify", "I1", "--quick")
    assert re.search(r"I1 ✗ 任务 \d+", capsys.readouterr().out)
    with pytest.raises(CommandError):
        call_command("verify", "I99")
