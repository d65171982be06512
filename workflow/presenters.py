"""From rows to what a template shows. Nothing here reads a clock; queries are made by the views."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.template.loader import get_template
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from audit.models import AuditEntry
from audit.queries import sentence
from deadlines.calendar import seeded_calendar
from deadlines.kinds import DeadlineError, parse_deadline
from deadlines.kinds import describe as describe_deadline
from deadlines.ladder import Stage, days_late, days_left, next_step, schedule, stage_at
from deadlines.recurrence import period_label
from schemes.models import Responsibility, ScoringRule
from scoring.points import PointsError, format_points, parse_points
from scoring.rules import RuleError, parse_rule
from scoring.rules import describe as describe_rule
from tasks.models import OverdueWarning, Submission, Task, TaskState
from tasks.presenters import file_of

STAGE_COLOURS = {Stage.CLEAR: "green", Stage.DUE_SOON: "amber", Stage.DUE_TODAY: "amber", Stage.OVERDUE: "red"}
WITH_OFFICE = frozenset({TaskState.ISSUED, TaskState.ACCEPTED, TaskState.RETURNED})
EDITABLE = frozenset({TaskState.ACCEPTED, TaskState.RETURNED})
# where the due date stands on the bar; what lies right of it is the time after it, ten working days long
DUE_PERCENT = 76
LATE_DAYS_SHOWN = 10


def points_words(points: Decimal | None) -> str:
    return "" if points is None else _("{points} 分").format(points=format_points(points))


@lru_cache(maxsize=1024)
def period_words(period: str) -> str:
    """2017年第三季度; a period of another shape as it stands."""
    try:
        return period_label(period)
    except ValueError:
        return period


def clause_words(task: Task) -> str:
    """1.13 平安建设 · 第4条"""
    row = task.indicator
    words = f"{row.code} {row.path[-1]}" if row.path else row.code
    if task.clause_id and task.clause.no is not None:
        words += " · " + _("第{no}条").format(no=task.clause.no)
    return words


def moment(at: datetime) -> str:
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M")


# ------------------------------------------------------------------ the due bar


def _open_bar(due_at: datetime, began: datetime, now: datetime) -> dict[str, Any]:
    calendar, tz = seeded_calendar(), timezone.get_default_timezone()
    stage = stage_at(due_at=due_at, now=now, calendar=calendar, tz=tz)
    bar: dict[str, Any] = {"stage": STAGE_COLOURS[stage], "late": stage is Stage.OVERDUE, "today": False}
    if stage is Stage.OVERDUE:
        late = days_late(due_at, now, tz, calendar)
        bar["days"] = -late
        bar["now_percent"] = DUE_PERCENT + round(min(late, LATE_DAYS_SHOWN) * (100 - DUE_PERCENT) / LATE_DAYS_SHOWN)
    else:
        bar["days"] = days_left(due_at, now, tz, calendar)
        whole = (due_at - began).total_seconds()
        gone = (now - began).total_seconds()
        bar["now_percent"] = round(max(0.0, min(1.0, gone / whole)) * DUE_PERCENT) if whole > 0 else 0
        bar["today"] = stage is Stage.DUE_TODAY
    return bar


def today_words(due_at: datetime) -> str:
    """Until when today counts: a due date lasts to its last instant, a due hour ends earlier."""
    local = timezone.localtime(due_at)
    if (local.hour, local.minute) == (23, 59):
        return _("今天结束前都算按时")
    return _("今天 {at} 截止").format(at=local.strftime("%H:%M"))


def due_bar(task: Task, at: datetime) -> dict[str, Any]:
    """What components/due_bar.html shows. Red only while the office still has it; afterwards a word says late."""
    if task.state not in WITH_OFFICE:
        filed = task.first_submitted_at
        was_late = bool(filed and filed > task.due_at)
        if task.state == TaskState.CANCELLED:
            return {"stage": "none", "label": _("已取消"), "due": task.due_date, "late": False}
        return {
            "stage": "amber" if was_late else "done",
            "label": _("逾期报送") if was_late else _("按时报送"),
            "note": timezone.localtime(filed).strftime("%Y-%m-%d") if filed else " ",
            "due": task.due_date,
            "late": was_late,
        }
    began = min(task.issued_at, task.due_at)
    bar = _open_bar(task.due_at, began, at)
    bar |= {"due": task.due_date, "due_percent": DUE_PERCENT}
    if bar["today"]:
        bar["label"], bar["note"] = _("今日到期"), today_words(task.due_at)
    elif bar["late"] and bar["days"] == 0:
        today = task.due_date == timezone.localdate(at)
        bar["note"] = _("今天的截止时间已过") if today else _("已过期限,今天是休息日")
    elif not bar["late"] and bar["days"] == 0:
        bar["note"] = _("到期日之前没有工作日了")
    if task.due_before_issue:
        bar["note"] = _("下达时已过期,不计逾期预警")
    return bar


@lru_cache(maxsize=2048)
def _due_html(bar: tuple[tuple[str, Any], ...], language: str) -> SafeString:
    return get_template("components/due_bar.html").render({"bar": dict(bar), "compact": True})


def due_html(bar: dict[str, Any]) -> SafeString:
    """The bar as components/due_bar.html draws it. It holds whole days and per cents: drawn once, shown for hours."""
    return _due_html(tuple(bar.items()), get_language() or "")


@lru_cache(maxsize=64)
def _steps_html(state: str, language: str) -> SafeString:
    return get_template("components/step_dots.html").render({"state": state})


def steps_html(state: str) -> SafeString:
    """The step dots: one of seven pictures, drawn once per language."""
    return _steps_html(state, get_language() or "")


@lru_cache(maxsize=64)
def _state_html(state: str, language: str) -> SafeString:
    return get_template("components/state_badge.html").render({"state": state})


def state_html(state: str) -> SafeString:
    return _state_html(state, get_language() or "")


# ------------------------------------------------------------------ rows of lists


@dataclass(frozen=True)
class Action:
    """The one thing to do about a row: `post` is a button, otherwise a link."""

    label: str
    url: str
    post: bool = False
    primary: bool = True


@dataclass(frozen=True)
class Row:
    id: int
    url: str
    title: str
    clause: str
    office: str
    period: str
    points: str
    stage: str
    state: str
    due: SafeString
    steps: SafeString
    action: Action
    note: str = ""
    selectable: bool = False


def action_for(task: Task, *, member: bool, head: bool, reviews: bool) -> Action:
    """What this person can do about the task now."""
    url = reverse("workflow:task", args=[task.pk])
    if member and task.state == TaskState.ISSUED:
        return Action(_("签收"), reverse("workflow:task_accept", args=[task.pk]), post=True)
    if member and task.state == TaskState.ACCEPTED:
        return Action(_("填报"), url)
    if member and task.state == TaskState.RETURNED:
        return Action(_("修改"), url)
    if head and task.state == TaskState.CONFIRMING:
        return Action(_("确认"), url)
    if reviews and task.state == TaskState.REVIEWING:
        return Action(_("审核"), reverse("workflow:task_review", args=[task.pk]))
    return Action(_("查看"), url, primary=False)


def rows_of(tasks: Iterable[Task], *, scope, at: datetime) -> list[Row]:
    """Rows of the home lists and of the task list. Tasks of one due instant share one drawn bar."""
    drawn: dict[tuple, tuple[SafeString, str]] = {}
    calendar = seeded_calendar()
    found = []
    for task in tasks:
        with_office = task.state in WITH_OFFICE
        # what the picture depends on, and nothing else: most rows of a page share a handful of pictures
        if with_office:
            key = (task.due_at, task.issued_at, task.due_before_issue)
        else:
            filed = task.first_submitted_at
            key = (task.due_date, task.state, filed and timezone.localdate(filed), bool(filed and filed > task.due_at))
        if key not in drawn:
            bar = due_bar(task, at)
            drawn[key] = (due_html(bar), bar["stage"] if with_office else "done")
        due, stage = drawn[key]
        member = task.office_id in scope.member
        note = ""
        if task.state in (TaskState.CONFIRMING, TaskState.REVIEWING):
            days = calendar.workdays_between(
                timezone.localdate(task.held_since), max(timezone.localdate(at), timezone.localdate(task.held_since))
            )
            who = _("处室负责人") if task.state == TaskState.CONFIRMING else _("审核人")
            note = (
                _("在{who}处,今天送到").format(who=who)
                if not days
                else _("在{who}处已 {n} 个工作日").format(who=who, n=days)
            )
        found.append(
            Row(
                id=task.pk,
                url=f"/work/tasks/{task.pk}/",
                title=task.title,
                clause=clause_words(task),
                office=str(task.office),
                period=period_words(task.period),
                points=points_words(task.points),
                stage=stage,
                state=task.state,
                due=due,
                steps=steps_html(task.state),
                action=action_for(
                    task,
                    member=member,
                    head=task.office_id in scope.head,
                    reviews=task.office_id in scope.review and not member,
                ),
                note=note,
                selectable=member and task.state == TaskState.ISSUED,
            )
        )
    return found


# ------------------------------------------------------------------ the clause and its rules


def highlighted(text: str, quote: str) -> list[tuple[str, bool]]:
    """The text in pieces; True marks the words that the task is about."""
    start = text.find(quote) if quote else -1
    if start < 0:
        return [(text, False)]
    end = start + len(quote)
    return [(part, hot) for part, hot in ((text[:start], False), (text[start:end], True), (text[end:], False)) if part]


@dataclass(frozen=True)
class RuleLine:
    quote: str
    words: str
    whole_row: bool


def rule_lines(rules: Iterable[ScoringRule], *, whole_row: bool) -> list[RuleLine]:
    """The rules read back in plain Chinese beside the words they come from."""
    found = []
    for rule in rules:
        try:
            words = describe_rule(parse_rule(rule.params))
        except RuleError:
            words = ""
        found.append(RuleLine(quote=rule.quote, words=words, whole_row=rule.clause_id is None and not whole_row))
    return found


def deadline_words(task: Task) -> str:
    """When it is due and why then, in a sentence."""
    if task.deadline_id:
        try:
            return describe_deadline(parse_deadline(task.deadline.params))
        except DeadlineError:
            return ""
    if task.by_cycle:
        return task.version.reporting_cycle.get("reading") or _("原文没有写明报送日期,按方案的申报周期办理。")
    if task.assigned_extra:
        return _("临时交办事项,期限由交办人指定。")
    return ""


def role_words(task: Task) -> str:
    return str(Responsibility.Role(task.role).label)


# ------------------------------------------------------------------ measured values


@dataclass(frozen=True)
class Measure:
    """A value that is asked for, with what was typed. `met` is None while there is no number."""

    index: int
    name: str
    unit: str
    target: str
    at_least: bool
    raw: str
    value: str | None = None
    top: str | None = None
    met: bool | None = None
    drawn: bool = False

    @property
    def asked(self) -> str:
        if not self.target:
            return ""
        word = _("不低于") if self.at_least else _("不高于")
        return f"{word} {self.target}{self.unit}"


def measures_of(task: Task, values: dict[str, str]) -> list[Measure]:
    found = []
    for index, data in enumerate(task.clause.measures if task.clause_id else []):
        raw = str(values.get(data["name"], "") or "").strip()
        target, unit = str(data.get("target") or ""), data.get("unit") or ""
        at_least = bool(data.get("at_least", True))
        value = top = met = None
        try:
            number = parse_points(raw) if raw else None
            goal = parse_points(target) if target else None
        except PointsError:
            number = goal = None
        if number is not None:
            value = format_points(number)
        if number is not None and goal is not None:
            met = number >= goal if at_least else number <= goal
            # a share ends at 100; anything else a quarter beyond the greater of the two
            highest = max(number, goal)
            top = format_points(
                Decimal(100) if unit == "%" and highest <= 100 else max(highest, Decimal(1)) * Decimal("1.25")
            )
        found.append(Measure(index, data["name"], unit, target, at_least, raw, value, top, met, drawn=top is not None))
    return found


@dataclass(frozen=True)
class Check:
    done: bool
    words: str
    needed: bool = True


def checklist(
    task: Task, *, text: str, measures: Sequence[Measure], files: int, at: datetime, marks: Iterable[str]
) -> list[Check]:
    """What there is and what is missing before filing. Files and values are advised, the text is required."""
    found = [Check(bool(text.strip()), _("完成情况已填写") if text.strip() else _("还没有填写完成情况(必填)"))]
    if measures:
        filled = sum(1 for m in measures if m.value is not None)
        bad = [m.name for m in measures if m.raw and m.value is None]
        if bad:
            found.append(Check(False, _("不是数字:{names}").format(names="、".join(bad))))
        elif filled == len(measures):
            found.append(Check(True, _("指标值已填全({n} 项)").format(n=filled)))
        else:
            found.append(
                Check(
                    False,
                    _("指标值填了 {n} / {m} 项;没有数据的可空着,并在文字中说明").format(n=filled, m=len(measures)),
                    False,
                )
            )
        short = [m.name for m in measures if m.met is False]
        if short:
            found.append(
                Check(False, _("未达到目标:{names}。请在文字中说明原因").format(names="、".join(short)), False)
            )
    found.append(
        Check(True, _("佐证材料 {n} 个").format(n=files))
        if files
        else Check(False, _("还没有佐证材料;没有材料时审核人可能退回"), False)
    )
    found += [Check(False, _("退回时标注 {mark}").format(mark=mark), False) for mark in marks]
    late = at > task.due_at
    found.append(Check(not late, _("已过期限,现在报送记为逾期报送") if late else _("现在报送是按时报送"), False))
    return found


# ------------------------------------------------------------------ marks


def marks_for_draft(marks: Iterable[dict[str, str]], filed: Submission, draft: Submission | None) -> dict[str, str]:
    """The reviewer's marks, by the targets of the new draft: its files are copies of those that were marked."""
    if draft is None:
        return {}
    old = {f"evidence:{e.pk}": (e.blob_id, e.name) for e in filed.evidence.all()}
    new = {(e.blob_id, e.name): f"evidence:{e.pk}" for e in draft.evidence.all()}
    found = {}
    for mark in marks:
        target = mark.get("target", "")
        if target in old:
            target = new.get(old[target], "")
        if target:
            found[target] = mark.get("note") or _("请修改此处")
    return found


def target_words(target: str, evidence: dict[int, str]) -> str:
    """What a mark points at, in words."""
    kind, _sep, rest = target.partition(":")
    if kind == "value":
        return _("指标值“{name}”").format(name=rest)
    if kind == "evidence":
        return _("文件“{name}”").format(name=evidence.get(int(rest), "?") if rest.isdigit() else "?")
    return _("完成情况")


# ------------------------------------------------------------------ who holds it, what comes next


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
    calendar, tz = seeded_calendar(), timezone.get_default_timezone()
    today, since = timezone.localdate(at), timezone.localdate(task.held_since)
    days = calendar.workdays_between(since, max(since, today))
    waited = _("今天起") if not days else _("已 {n} 个工作日").format(n=days)
    late = task.state in WITH_OFFICE and at > task.due_at
    due = task.due_date.strftime("%Y-%m-%d")
    if task.state in WITH_OFFICE:
        if late:
            n = days_late(task.due_at, at, tz, calendar)
            due += " · " + (_("逾期 {n} 个工作日").format(n=n) if n else _("已逾期"))
        else:
            n = days_left(task.due_at, at, tz, calendar)
            due += " · " + (
                _("还有 {n} 个工作日").format(n=n)
                if n
                else _("今天到期")
                if today == task.due_date
                else _("已无工作日")
            )
        todo = {
            TaskState.ISSUED: _("签收,然后填报"),
            TaskState.ACCEPTED: _("填写完成情况并报送"),
            TaskState.RETURNED: _("按退回意见修改后重新报送"),
        }[task.state]
        rung = None
        if not task.due_before_issue or task.next_check_at:
            rung = next_step(due_at=task.due_at, after=at, calendar=calendar, tz=tz)
        words = f"{moment(rung[1])} {rung_words(rung[0].code)}" if rung else _("预警已全部发出,由统筹人员督办")
        if task.points:
            words += _(";涉及 {points} 分").format(points=format_points(task.points))
        office = str(task.office)
        holder = office if not people else f"{office} · {people}"
        return Standing(holder, task.held_since, waited, due, todo, words, late=late)
    if task.state == TaskState.CONFIRMING:
        return Standing(
            _("处室负责人 {people}").format(people=people or _("(无在任负责人)")),
            task.held_since,
            waited,
            due,
            _("负责人确认后送审核"),
            _("报送时间已定,不因等待而算逾期"),
        )
    if task.state == TaskState.REVIEWING:
        return Standing(
            _("审核人 {people}").format(people=people or _("(无人可审核,已告知统筹人员)")),
            task.held_since,
            waited,
            due,
            _("审核:通过,或退回修改"),
            _("报送时间已定,不因等待而算逾期"),
        )
    if task.state == TaskState.APPROVED:
        return Standing("—", task.held_since, "", due, _("已办结,进入评分"), "—", finished=True)
    return Standing("—", task.held_since, "", due, _("已取消,无需办理"), "—", finished=True)


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
    """What happened, who holds it, and which rungs come if nothing is done. Files are told of in one line a person."""
    past: list[tuple[datetime, dict[str, Any]]] = [
        (
            task.issued_at,
            {"kind": "past", "icon": "inbox", "title": _("下达"), "who": str(task.office), "at": task.issued_at},
        )
    ]
    for entry in history:
        last = past[-1][1]
        if entry.verb == "task.evidence_added" and last.get("verb") == entry.verb and last["who"] == entry.actor_label:
            last["files"] += 1
            last["title"] = _("上传佐证材料 {n} 个").format(n=last["files"])
            last["at"] = entry.at
            continue
        title = sentence(entry)
        if entry.verb == "task.submitted" and entry.detail.get("late"):
            title += " · " + _("逾期报送")
        past.append(
            (
                entry.at,
                {
                    "kind": VERB_KINDS.get(entry.verb, "past"),
                    "icon": VERB_ICONS.get(entry.verb),
                    "title": title,
                    "who": entry.actor_label,
                    "at": entry.at,
                    "verb": entry.verb,
                    "files": 1,
                },
            )
        )
    for warning in warnings:
        past.append(
            (
                warning.fired_at,
                {
                    "kind": "danger" if warning.step.startswith(("late", "overdue")) else "warning",
                    "title": rung_words(warning.step),
                    "at": warning.fired_at,
                    "who": _("通知 {n} 人").format(n=warning.recipients) if warning.recipients else "",
                },
            )
        )
    items = [item for _when, item in sorted(past, key=lambda pair: pair[0])]
    if now.finished:
        return items
    items.append(
        {
            "kind": "now",
            "title": now.holder,
            "at_label": _("自 {at} 起,{waited}").format(at=moment(now.since), waited=now.waited),
            "body": now.next_step,
        }
    )
    if task.state in WITH_OFFICE and task.next_check_at:
        calendar, tz = seeded_calendar(), timezone.get_default_timezone()
        rungs = [(s, when) for s, when in schedule(due_at=task.due_at, calendar=calendar, tz=tz) if when > at]
        if at <= task.due_at:
            rungs_before = [pair for pair in rungs if pair[1] <= task.due_at]
            rungs = rungs_before + [pair for pair in rungs if pair[1] > task.due_at]
        items += [
            {"kind": "future", "title": rung_words(step.code), "at_label": _("不办则于 {at}").format(at=moment(when))}
            for step, when in rungs
        ]
    elif task.state in (TaskState.CONFIRMING, TaskState.REVIEWING):
        after = [_("审核")] if task.state == TaskState.CONFIRMING else []
        items += [{"kind": "future", "title": word} for word in [*after, _("办结,进入评分")]]
    return items


# ------------------------------------------------------------------ what was filed


@dataclass
class Filed:
    """One attempt, with the decisions on it."""

    submission: Submission
    by: str
    measures: list[Measure]
    files: list[dict[str, Any]]
    late: bool
    decisions: list[dict[str, Any]] = field(default_factory=list)


def filed_of(task: Task, submission: Submission, reviews: Iterable[Any]) -> Filed:
    names = {e.pk: e.name for e in submission.evidence.all()}
    decisions = [
        {
            "stage": review.get_stage_display(),
            "outcome": review.outcome,
            "words": review.get_outcome_display(),
            "who": str(review.reviewer),
            "at": review.at,
            "reason": review.reason,
            "marks": [
                {"where": target_words(m.get("target", ""), names), "note": m.get("note", "")} for m in review.marks
            ],
        }
        for review in reviews
    ]
    return Filed(
        submission=submission,
        by=str(submission.submitted_by),
        measures=measures_of(task, submission.values),
        files=[file_of(e) for e in submission.evidence.all()],
        late=bool(submission.submitted_at and submission.submitted_at > task.due_at),
        decisions=decisions,
    )
