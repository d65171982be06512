"""Where a task stands: who holds it, what happened so far, what comes if nothing is done."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from audit.models import AuditEntry
from audit.queries import sentence
from deadlines.calendar import seeded_calendar
from deadlines.ladder import days_late, days_left, next_step, schedule
from scoring.points import format_points
from tasks.models import WITH_OFFICE, OverdueWarning, Task, TaskState
from workflow.presenters.words import moment


def rung_words(code: str) -> str:
    return {
        "before3": _("提前3个工作日提醒经办人"),
        "before1": _("提前1个工作日提醒经办人"),
        "due": _("到期当天提醒经办人"),
        "overdue": _("逾期:红灯预警,同时告知统筹人员"),
        "late3": _("逾期3个工作日:告知处室负责人和统筹人员"),
        "late7": _("逾期7个工作日:再次告知处室负责人和统筹人员"),
    }.get(code, code)


@dataclass(frozen=True)
class Standing:
    """谁在办 · 从何时起 · 截止 · 下一步 · 若不办会怎样"""

    holder: str
    since: datetime
    waited: str
    due: str
    next_step: str
    otherwise: str
    late: bool = False
    finished: bool = False


def standing(task: Task, *, at: datetime, people: str) -> Standing:
    """`people`: the names of those who hold it now, empty if nobody does."""
    if task.state in WITH_OFFICE:
        return _with_office(task, at=at, people=people)
    due = task.due_date.strftime("%Y-%m-%d")
    if task.state == TaskState.CONFIRMING:
        holder = _("处室负责人 {people}").format(people=people or _("(无在任负责人)"))
        following = _("负责人确认后送审核")
    elif task.state == TaskState.REVIEWING:
        holder = _("审核人 {people}").format(people=people or _("(无人可审核,已告知统筹人员)"))
        following = _("审核:通过,或退回修改")
    else:
        ended = _("已办结,进入评分") if task.state == TaskState.APPROVED else _("已取消,无需办理")
        return Standing("—", task.held_since, "", due, ended, "—", finished=True)
    otherwise = _("报送时间已定,不因等待而算逾期")
    return Standing(holder, task.held_since, _waited(task, at), due, following, otherwise)


def _waited(task: Task, at: datetime) -> str:
    today, since = timezone.localdate(at), timezone.localdate(task.held_since)
    days = seeded_calendar().workdays_between(since, max(since, today))
    return _("今天起") if not days else _("已 {n} 个工作日").format(n=days)


def _with_office(task: Task, *, at: datetime, people: str) -> Standing:
    calendar, tz = seeded_calendar(), timezone.get_default_timezone()
    late = at > task.due_at
    if late:
        n = days_late(task.due_at, at, tz, calendar)
        distance = _("逾期 {n} 个工作日").format(n=n) if n else _("已逾期")
    elif n := days_left(task.due_at, at, tz, calendar):
        distance = _("还有 {n} 个工作日").format(n=n)
    else:
        distance = _("今天到期") if timezone.localdate(at) == task.due_date else _("已无工作日")
    todo = {
        TaskState.ISSUED: _("签收,然后填报"),
        TaskState.ACCEPTED: _("填写完成情况并报送"),
        TaskState.RETURNED: _("按退回意见修改后重新报送"),
    }[task.state]
    rung = None
    if not task.due_before_issue or task.next_check_at:
        rung = next_step(due_at=task.due_at, after=at, calendar=calendar, tz=tz)
    otherwise = f"{moment(rung[1])} {rung_words(rung[0].code)}" if rung else _("预警已全部发出,由统筹人员督办")
    if task.points:
        otherwise += _(";涉及 {points} 分").format(points=format_points(task.points))
    return Standing(
        holder=f"{task.office} · {people}" if people else str(task.office),
        since=task.held_since,
        waited=_waited(task, at),
        due=f"{task.due_date:%Y-%m-%d} · {distance}",
        next_step=todo,
        otherwise=otherwise,
        late=late,
    )


VERB_KINDS = {
    "task.returned": "returned",
    "task.declined": "returned",
    "task.approved": "past",
}
VERB_ICONS = {
    "task.accepted": "check-lg",
    "task.submitted": "send",
    "task.confirmed": "person-check",
    "task.approved": "patch-check",
    "task.evidence_added": "paperclip",
    "task.evidence_removed": "trash",
    "evidence.downloaded": "download",
}


def timeline(
    task: Task,
    *,
    history: Iterable[AuditEntry],
    warnings: Iterable[OverdueWarning],
    at: datetime,
    now: Standing,
) -> list[dict[str, Any]]:
    """What happened, who holds it, and which rungs come if nothing is done."""
    items = sorted([*_happened(task, history), *_warned(warnings)], key=lambda item: item["at"])
    if now.finished:
        return items
    held = {
        "kind": "now",
        "title": now.holder,
        "at_label": _("自 {at} 起,{waited}").format(at=moment(now.since), waited=now.waited),
        "body": now.next_step,
    }
    return [*items, held, *_to_come(task, at)]


def _happened(task: Task, history: Iterable[AuditEntry]) -> list[dict[str, Any]]:
    """The trail of the task. Files that one person added one after another are told of in one line."""
    found: list[dict[str, Any]] = [
        {"kind": "past", "icon": "inbox", "title": _("下达"), "who": str(task.office), "at": task.issued_at}
    ]
    for entry in history:
        last = found[-1]
        if entry.verb == "task.evidence_added" and last.get("verb") == entry.verb and last["who"] == entry.actor_label:
            last["files"] += 1
            last["title"] = _("上传佐证材料 {n} 个").format(n=last["files"])
            last["at"] = entry.at
            continue
        title = sentence(entry)
        if entry.verb == "task.submitted" and entry.detail.get("late"):
            title += " · " + _("逾期报送")
        found.append(
            {
                "kind": VERB_KINDS.get(entry.verb, "past"),
                "icon": VERB_ICONS.get(entry.verb),
                "title": title,
                "who": entry.actor_label,
                "at": entry.at,
                "verb": entry.verb,
                "files": 1,
            }
        )
    return found


def _warned(warnings: Iterable[OverdueWarning]) -> list[dict[str, Any]]:
    return [
        {
            "kind": "danger" if warning.step.startswith(("late", "overdue")) else "warning",
            "title": rung_words(warning.step),
            "at": warning.fired_at,
            "who": _("通知 {n} 人").format(n=warning.recipients) if warning.recipients else "",
        }
        for warning in warnings
    ]


def _to_come(task: Task, at: datetime) -> list[dict[str, Any]]:
    """The rungs of the ladder while the office has it; afterwards the steps that are left."""
    if task.state in WITH_OFFICE and task.next_check_at:
        rungs = schedule(due_at=task.due_at, calendar=seeded_calendar(), tz=timezone.get_default_timezone())
        return [
            {"kind": "future", "title": rung_words(step.code), "at_label": _("不办则于 {at}").format(at=moment(when))}
            for step, when in rungs
            if when > at
        ]
    steps = {
        TaskState.CONFIRMING: [_("审核"), _("办结,进入评分")],
        TaskState.REVIEWING: [_("办结,进入评分")],
    }
    return [{"kind": "future", "title": word} for word in steps.get(task.state, ())]
