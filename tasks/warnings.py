"""What a warning says, and to whom. Read in bulk: a sweep asks the database once per office, row and clause."""

import re
from collections.abc import Iterable
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import NamedTuple

from accounts.grants import Power, holders, members
from accounts.models import Office
from deadlines.calendar import WorkCalendar
from deadlines.ladder import Step, days_late, days_left
from deadlines.recurrence import period_label
from schemes.models import Clause, Indicator, ScoringRule
from scoring.points import format_points

# the rule of a clause that says what being late costs
LATENESS = re.compile(r"未(能)?(及时|按时|按期|如期)|不及时|逾期|超期|迟报|未(上报|报送)")
TRAILING = re.compile(r"[。;;,,\s]+$")
NAMED_OFFICES = 10


class Row(NamedTuple):
    """What a sweep reads of a task."""

    id: int
    office_id: int
    indicator_id: int
    clause_id: int | None
    title: str
    period: str
    points: Decimal | None
    due_at: datetime
    next_check_at: datetime


def is_late_step(step: Step) -> bool:
    return step.moment == "deadline" or step.offset > 0


def step_label(step: Step) -> str:
    if step.moment == "deadline":
        return "逾期"
    if step.offset > 0:
        return f"逾期{step.offset}个工作日"
    return f"到期前{-step.offset}个工作日" if step.offset else "到期当日"


class Audience:
    """Who is told about an office's tasks, as of one day."""

    def __init__(self, *, on: date) -> None:
        self.on = on
        self._people: dict[str, dict[int, set[int]]] = {"office": {}, "head": {}, "coordinator": {}}
        self._found: dict[tuple[int, frozenset[str]], tuple[frozenset[int], frozenset[int]]] = {}

    def load(self, office_ids: Iterable[int]) -> None:
        missing = set(office_ids) - self._people["office"].keys()
        if missing:
            self._people["office"] |= members(office_ids=missing, on=self.on)
            self._people["head"] |= members(office_ids=missing, on=self.on, heads_only=True)
            self._people["coordinator"] |= holders(power=Power.COORDINATE, office_ids=missing)

    def people(self, office_id: int, roles: frozenset[str]) -> tuple[frozenset[int], frozenset[int]]:
        """(the office's own, coordinators who are not among them) of the named roles."""
        key = (office_id, roles)
        if key not in self._found:
            own = frozenset().union(*(self._people[role][office_id] for role in roles if role != "coordinator"))
            above = self._people["coordinator"][office_id] if "coordinator" in roles else ()
            self._found[key] = own, frozenset(above) - own
        return self._found[key]


class Texts:
    """Titles and bodies in the notice's own words."""

    def __init__(self, *, at: datetime, calendar: WorkCalendar, tz: tzinfo) -> None:
        self.at, self.calendar, self.tz = at, calendar, tz
        self._indicators: dict[int, tuple[str, str]] = {}
        self._clauses: dict[int, int | None] = {}
        self._costs: dict[tuple[int, int | None], str] = {}
        self._offices: dict[int, str] = {}
        self._headings: dict[tuple, str] = {}
        self._told: dict[tuple, tuple[str, str]] = {}

    def load(self, rows: Iterable[Row]) -> None:
        indicators = {row.indicator_id for row in rows} - self._indicators.keys()
        clauses = {row.clause_id for row in rows if row.clause_id} - self._clauses.keys()
        if indicators:
            for pk, code, path in Indicator.objects.filter(id__in=indicators).values_list("id", "code", "path"):
                self._indicators[pk] = (code, path[-1] if path else "")
            for indicator_id, clause_id, quote in (
                ScoringRule.objects.filter(indicator__in=indicators)
                .order_by("position", "id")
                .values_list("indicator_id", "clause_id", "quote")
            ):
                if LATENESS.search(quote):
                    self._costs.setdefault((indicator_id, clause_id), TRAILING.sub("", quote))
        if clauses:
            self._clauses |= dict(Clause.objects.filter(id__in=clauses).values_list("id", "no"))

    def _heading(self, row: Row) -> str:
        """1.14 平安综治 · 第4条 矛盾纠纷排查化解工作情况(2026年10月)"""
        key = (row.indicator_id, row.clause_id, row.title, row.period)
        if key not in self._headings:
            code, name = self._indicators[row.indicator_id]
            no = self._clauses.get(row.clause_id)
            text = row.title
            if not text.startswith(code):
                text = f"{code} {name}{f' · 第{no}条' if no else ''} {text}"
            try:
                period = period_label(row.period)
            except ValueError:
                period = row.period
            self._headings[key] = text if not period or period in text else f"{text}({period})"
        return self._headings[key]

    def told(self, row: Row, step: Step) -> tuple[str, str]:
        """Title and body: the same for every office that has this clause."""
        key = (row.indicator_id, row.clause_id, row.title, row.period, row.points, row.due_at, step.code)
        if key not in self._told:
            self._told[key] = self._title(row, step), self._body(row, step)
        return self._told[key]

    def _title(self, row: Row, step: Step) -> str:
        if step.moment == "deadline":
            return f"已逾期:{self._heading(row)}"
        if step.offset > 0:
            return f"逾期{self._days_late(row, step)}个工作日:{self._heading(row)}"
        left = days_left(row.due_at, self.at, self.tz, self.calendar)
        return f"{f'还有{left}个工作日到期' if left else '今日到期'}:{self._heading(row)}"

    def _body(self, row: Row, step: Step) -> str:
        due = row.due_at.astimezone(self.tz)
        clock = "" if (due.hour, due.minute) == (23, 59) else f"{due:%H:%M}"
        parts = [f"截止{due.year}年{due.month}月{due.day}日{clock}"]
        if is_late_step(step):
            late = self._days_late(row, step)
            parts.append(f"已逾期{late}个工作日" if late else "已过截止时间")
        else:
            left = days_left(row.due_at, self.at, self.tz, self.calendar)
            parts.append(f"还有{left}个工作日" if left else "今天截止")
        text = ",".join(parts) + "。"
        cost = self._costs.get((row.indicator_id, row.clause_id))
        if cost:
            return f"{text}{cost}。"
        return f"{text}涉及{format_points(row.points)}分。" if row.points is not None else text

    def _days_late(self, row: Row, step: Step) -> int:
        return max(step.offset, days_late(row.due_at, self.at, self.tz, self.calendar))

    def digest(self, step: Step, per_office: dict[int, int]) -> tuple[str, str]:
        """Title and body of what a coordinator reads instead of one message per task."""
        count, offices = sum(per_office.values()), len(per_office)
        if step.moment == "deadline":
            title = f"本次新增逾期{count}项,涉及{offices}个处室"
        else:
            title = f"{step_label(step)}:本次{count}项,涉及{offices}个处室"
        most = sorted(per_office.items(), key=lambda pair: (-pair[1], pair[0]))[:NAMED_OFFICES]
        if missing := {pk for pk, _ in most} - self._offices.keys():
            self._offices |= dict(Office.objects.filter(id__in=missing).values_list("id", "name"))
        named = "、".join(f"{self._offices[pk]}{n}项" for pk, n in most)
        return title, f"{named}{'等' if offices > len(most) else ''}。"
