"""What is asked for, what was typed, what was filed and what was decided about it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from scoring.points import PointsError, format_points, parse_points
from tasks.models import Submission, Task
from tasks.presenters import file_of


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
            found.append(Check(False, _("不是数字:{names}").format(names=_("、").join(bad))))
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
                Check(False, _("未达到目标:{names}。请在文字中说明原因").format(names=_("、").join(short)), False)
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
