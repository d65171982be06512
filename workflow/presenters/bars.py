"""The pictures of a row: when it is due, where it stands. Drawn once, shown for hours."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from django.template.loader import get_template
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from deadlines.calendar import seeded_calendar
from deadlines.ladder import Stage, days_late, days_left, stage_at
from tasks.models import WITH_OFFICE, Task, TaskState

STAGE_COLOURS = {Stage.CLEAR: "green", Stage.DUE_SOON: "amber", Stage.DUE_TODAY: "amber", Stage.OVERDUE: "red"}
# where the due date stands on the bar; what lies right of it is the time after it, ten working days long
DUE_PERCENT = 76
LATE_DAYS_SHOWN = 10


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
