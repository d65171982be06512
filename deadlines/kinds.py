"""The vocabulary of deadlines, one frozen class per kind (docs/scheme-format.md, "Deadlines").

A deadline carries no year and no words of the notice: the quote and the doubt belong to the row of the scheme.
Every field is declared once with its check; construction and `parse_deadline` use the same checks.
"""

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

# Written beside a deadline in the scheme file, but not part of it.
IGNORED_KEYS = frozenset({"quote", "doubt", "what", "line", "id", "reading"})

PERIOD_WORDS = {"year": "全年", "half_year": "每半年", "quarter": "每季度", "month": "每月"}
UNIT_WORDS = {"minutes": "分钟", "hours": "小时", "days": "天", "workdays": "个工作日"}

# February is given 29 days: a date carries no year, and in a common year the 29th clamps to the 28th.
LONGEST_MONTH = {1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}


class DeadlineError(ValueError):
    """A deadline that cannot be read. `problems` holds every (path, message), not only the first."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(f"{path}：{message}" if path else message for path, message in self.problems))


TYPE_NAMES = {bool: "真假值", int: "整数", float: "小数", str: "文字", list: "列表", dict: "映射"}


def _shown(value: object) -> str:
    """The value as the typist would recognise it, cut short."""
    if value is None:
        return "空值"
    text = str(value) if len(str(value)) <= 40 else str(value)[:40] + "…"
    return f"{TYPE_NAMES.get(type(value), type(value).__name__)} {text}"


@dataclass(frozen=True)
class Check:
    """What a field accepts, and the words that say so to the typist."""

    expects: str
    accepts: Callable[[object], bool]

    def complaint(self, value: object) -> str | None:
        return None if self.accepts(value) else f"{self.expects}，现为{_shown(value)}"


def _whole(*, name: str, low: int, high: int | None = None) -> Check:
    def accepts(value: object) -> bool:
        # YAML's `yes` is a bool, and Python's bool is an int: 每月yes日 must not become the first.
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and low <= value and (high is None or value <= high)

    span = f"{low} 到 {high} 的整数" if high is not None else f"不小于 {low} 的整数"
    return Check(f"{name}应为{span}（不加引号）", accepts)


def _words(*, name: str) -> Check:
    return Check(f"{name}应为非空文字", lambda value: isinstance(value, str) and bool(value.strip()))


def _one_of(*, name: str, choices: Mapping[str, str]) -> Check:
    listed = "、".join(f"{key}（{word}）" for key, word in choices.items())
    return Check(f"{name}应为以下之一：{listed}", lambda value: isinstance(value, str) and value in choices)


def _or_null(check: Check) -> Check:
    return Check(f"{check.expects}，原文没有的写 null", lambda value: value is None or check.accepts(value))


def _field(check: Check, **kwargs: Any) -> Any:
    return dataclasses.field(metadata={"check": check}, **kwargs)


MONTH = _whole(name="月份", low=1, high=12)
DAY = _whole(name="日期", low=1, high=31)


@dataclass(frozen=True)
class _Kind:
    kind: ClassVar[str]
    makes_tasks: ClassVar[bool] = False  # becomes tasks with a due date when a scheme is published
    fixed: ClassVar[bool] = False  # one due date a year, printed in the notice

    def __post_init__(self) -> None:
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        if problems := self.problems_of(values):
            raise DeadlineError(problems)

    @classmethod
    def problems_of(cls, values: Mapping[str, object]) -> list[tuple[str, str]]:
        """(field, message) of every value that this kind does not accept; absent fields are not looked at."""
        complaints = (
            (item.name, item.metadata["check"].complaint(values[item.name]))
            for item in dataclasses.fields(cls)
            if item.name in values
        )
        return [(name, message) for name, message in complaints if message]

    def sentence(self) -> str:
        raise NotImplementedError


def _short_month_note(day: int) -> str:
    return f"，没有{day}日的月份以当月最后一天为限" if day > 28 else ""


# --- fixed dates ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MonthEnd(_Kind):
    """9月底 (Jiaxing L76): the last day of the month."""

    kind = "month_end"
    makes_tasks = True
    fixed = True
    month: int = _field(MONTH)

    def sentence(self) -> str:
        return f"{self.month}月底前完成，即{self.month}月最后一天（含当日）为限。"


@dataclass(frozen=True)
class FixedDate(_Kind):
    """A month and a day. 29 February means the 28th in a common year."""

    kind = "date"
    makes_tasks = True
    fixed = True
    month: int = _field(MONTH)
    day: int = _field(DAY)

    @classmethod
    def problems_of(cls, values: Mapping[str, object]) -> list[tuple[str, str]]:
        problems = super().problems_of(values)
        month, day = values.get("month"), values.get("day")
        if not problems and month is not None and day is not None and day > LONGEST_MONTH[month]:
            problems.append(("day", f"{month}月没有{day}日，应为 1 到 {LONGEST_MONTH[month]} 的整数"))
        return problems

    def sentence(self) -> str:
        leap = "，平年为2月28日" if (self.month, self.day) == (2, 29) else ""
        return f"{self.month}月{self.day}日（含当日）前完成{leap}。"


@dataclass(frozen=True)
class YearEnd(_Kind):
    """年底前 (Jiaxing L310): 31 December."""

    kind = "year_end"
    makes_tasks = True
    fixed = True

    def sentence(self) -> str:
        return "年底前完成，即12月31日（含当日）为限。"


# --- recurring --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Monthly(_Kind):
    """每月5日前报送 (Jiaxing L288): in each month, by that day, the report of the month itself."""

    kind = "monthly"
    makes_tasks = True
    day: int = _field(DAY)

    def sentence(self) -> str:
        return f"每月{self.day}日前（含当日）报送，全年12次{_short_month_note(self.day)}。"


@dataclass(frozen=True)
class MonthlyNext(_Kind):
    """次月5日前上报 (Jiaxing L310): for each month, by that day of the next month; December's falls in January."""

    kind = "monthly_next"
    makes_tasks = True
    day: int = _field(DAY)

    def sentence(self) -> str:
        return (
            f"逐月报送，次月{self.day}日前（含当日）报送上月情况，全年12次，"
            f"12月的在次年1月{self.day}日前报送、计入本年度{_short_month_note(self.day)}。"
        )


@dataclass(frozen=True)
class Quarterly(_Kind):
    """每季 (Jiaxing L262). `day` is a day of the quarter's last month; null: the quarter's last day."""

    kind = "quarterly"
    makes_tasks = True
    day: int | None = _field(_or_null(DAY), default=None)

    def sentence(self) -> str:
        if self.day is None:
            return "每季度报送一次，原文未定日期，以季度最后一天（含当日）为限，全年4次。"
        return f"每季度最后一个月的{self.day}日前（含当日）报送，全年4次{_short_month_note(self.day)}。"


@dataclass(frozen=True)
class HalfYearly(_Kind):
    kind = "half_yearly"
    makes_tasks = True

    def sentence(self) -> str:
        return "每半年报送一次，分别以6月30日、12月31日（含当日）为限。"


@dataclass(frozen=True)
class Yearly(_Kind):
    """年度工作总结 (Jiaxing L802): once a year, no day printed."""

    kind = "yearly"
    makes_tasks = True

    def sentence(self) -> str:
        return "全年报送一次，原文未定日期，以12月31日（含当日）为限。"


# --- words of time that make no task of their own ---------------------------------------------------------------------


@dataclass(frozen=True)
class CountInPeriod(_Kind):
    """全年…不少于6次 (Jiaxing L410): counted when scoring. Period null: the notice names none (L638)."""

    kind = "count_in_period"
    count: int = _field(_whole(name="次数", low=1))
    period: str | None = _field(_or_null(_one_of(name="周期", choices=PERIOD_WORDS)), default=None)
    unit: str | None = _field(_or_null(_words(name="单位")), default=None)

    def sentence(self) -> str:
        period = PERIOD_WORDS[self.period] if self.period else "（原文未写周期）"
        return f"{period}不少于{self.count}{self.unit or '（单位未写）'}，评分时计数，不单独设时限。"


@dataclass(frozen=True)
class AfterEvent(_Kind):
    """一级联动单位30分钟 (Jiaxing L326): runs from an event that somebody records. `amount` is in `unit`."""

    kind = "after_event"
    amount: int = _field(_whole(name="时长", low=1))
    unit: str = _field(_one_of(name="时长单位", choices=UNIT_WORDS))
    event: str = _field(_words(name="起算事件"))
    applies_to: str | None = _field(_or_null(_words(name="适用单位")), default=None)

    def sentence(self) -> str:
        whom = f"（适用于{self.applies_to}）" if self.applies_to else ""
        return f"“{self.event}”发生后{self.amount}{UNIT_WORDS[self.unit]}内完成{whom}，登记事件后起算。"


@dataclass(frozen=True)
class Immediate(_Kind):
    """立即反馈,最迟不得超过24小时 (Jiaxing L328). `limit_hours` in clock hours."""

    kind = "immediate"
    limit_hours: int | None = _field(_or_null(_whole(name="最迟小时数", low=1)), default=None)

    def sentence(self) -> str:
        return "立即办理。" if self.limit_hours is None else f"立即办理，最迟不超过{self.limit_hours}小时。"


@dataclass(frozen=True)
class Continuous(_Kind):
    """无人值守的 (Jiaxing L324)."""

    kind = "continuous"

    def sentence(self) -> str:
        return "持续性职责，没有单独的时限。"


@dataclass(frozen=True)
class SetElsewhere(_Kind):
    """在规定时限内 (Jiaxing L732)."""

    kind = "set_elsewhere"

    def sentence(self) -> str:
        return "时限由其他文件规定，原文未写。"


@dataclass(frozen=True)
class ByPlan(_Kind):
    """按计划完成 (Jiaxing L124)."""

    kind = "by_plan"

    def sentence(self) -> str:
        return "按另行制定的计划或时间节点完成，原文未写日期。"


@dataclass(frozen=True)
class MeasuringPeriod(_Kind):
    """月平均 (Jiaxing L252): the span measured, a word of the list or the notice's own."""

    kind = "measuring_period"
    period: str | None = _field(_or_null(_words(name="计量期间")), default=None)

    def sentence(self) -> str:
        period = PERIOD_WORDS.get(self.period, self.period) if self.period else "原文所述期间"
        return f"按{period}计量，不是时限。"


@dataclass(frozen=True)
class Vague(_Kind):
    """及时完成 (Jiaxing L130)."""

    kind = "vague"

    def sentence(self) -> str:
        return "原文只有“及时”“按时”“定期”一类用语，不设时限。"


@dataclass(frozen=True)
class Scope(_Kind):
    """重点时段 (Jiaxing L382), 2016年前 (L854): a period named, no deadline."""

    kind = "scope"

    def sentence(self) -> str:
        return "原文提到的时段或范围，不是时限。"


Deadline = (
    MonthEnd
    | FixedDate
    | YearEnd
    | Monthly
    | MonthlyNext
    | Quarterly
    | HalfYearly
    | Yearly
    | CountInPeriod
    | AfterEvent
    | Immediate
    | Continuous
    | SetElsewhere
    | ByPlan
    | MeasuringPeriod
    | Vague
    | Scope
)

KINDS: dict[str, type] = {cls.kind: cls for cls in get_args(Deadline)}


def parse_deadline(data: Mapping[str, Any], *, path: str = "") -> Deadline:
    """The deadline described by a mapping of the scheme file; raises DeadlineError with all problems at once."""

    def at(name: object) -> str:
        return f"{path}.{name}" if path else str(name)

    if not isinstance(data, Mapping):
        raise DeadlineError([(path, f"时限应为映射，如 {{kind: monthly, day: 5}}，现为{_shown(data)}")])
    kind = data.get("kind")
    cls = KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise DeadlineError([(at("kind"), _unknown_kind(kind, present="kind" in data))])

    accepted = {item.name: item for item in dataclasses.fields(cls)}
    given = {name: value for name, value in data.items() if name != "kind" and name not in IGNORED_KEYS}
    problems = [
        (at(name), f"{kind} 不接受字段 {name}，可用字段：{'、'.join(accepted) or '无'}")
        for name in given
        if name not in accepted
    ]
    problems += [
        (at(name), f"{kind} 缺少字段 {name}：{item.metadata['check'].expects}")
        for name, item in accepted.items()
        if item.default is dataclasses.MISSING and name not in given
    ]
    problems += [(at(name), message) for name, message in cls.problems_of(given)]
    if problems:
        raise DeadlineError(problems)
    return cls(**given)


def _unknown_kind(kind: object, *, present: bool) -> str:
    listed = "、".join(KINDS)
    if not present:
        return f"缺少时限种类 kind，应为以下之一：{listed}"
    near = difflib.get_close_matches(kind, KINDS, n=1) if isinstance(kind, str) else []
    hint = f"（是否为 {near[0]}？）" if near else ""
    return f"不认识的时限种类：{_shown(kind)}{hint}，应为以下之一：{listed}"


def to_data(deadline: Deadline) -> dict[str, Any]:
    """The mapping of the scheme file, every field written out; `parse_deadline` reads it back."""
    return {"kind": deadline.kind, **dataclasses.asdict(deadline)}


def describe(deadline: Deadline) -> str:
    """One plain Chinese sentence for the page of the scheme."""
    return deadline.sentence()
