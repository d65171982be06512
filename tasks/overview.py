"""What a coordinator sees of many offices at once: counts, the late list, the year by office and month.

Every list and number is limited to the offices handed in. Nothing here loads a task to count it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db.models import CharField, Count, F, Min, Q, QuerySet
from django.db.models.functions import Cast, Substr
from django.utils import timezone

from accounts.models import Membership
from deadlines.calendar import WorkCalendar, seeded_calendar
from deadlines.recurrence import due_at as last_instant
from schemes.models import Responsibility
from tasks.models import OPEN, WITH_OFFICE, Task, TaskState
from tasks.queries import Among, due_soon

# working days late, as the warning ladder counts them
LATE_STEPS = (3, 7, 15)
WAITING = (TaskState.CONFIRMING, TaskState.REVIEWING)


def late_since(days: int, *, today: date, calendar: WorkCalendar | None = None) -> date:
    """The last due date that is at least so many working days late today."""
    if not days:
        return today - timedelta(days=1)
    # the day before the working day that is the n-th, counted back from today with today
    first = (calendar or seeded_calendar()).add_workdays(today + timedelta(days=1), -days)
    return first - timedelta(days=1)


@dataclass(frozen=True)
class LateFilter:
    """What of the late list is asked for; read from an address, so that a list can be sent to a colleague."""

    office_id: int | None = None
    days: int = 0
    role: str = ""

    @classmethod
    def read(cls, params: Mapping[str, str]) -> "LateFilter":
        """Whatever is not understood is left out."""

        def number(name: str) -> int:
            text = (params.get(name) or "").strip()
            return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0

        role = params.get("role") or ""
        return cls(
            office_id=number("office") or None,
            days=number("days") if number("days") in LATE_STEPS else 0,
            role=role if role in Responsibility.Role.values else "",
        )

    @property
    def is_empty(self) -> bool:
        return self == LateFilter()


def _end_of(day: date) -> datetime:
    """The last instant of a local day. Lists are cut by `due_at`, which their index holds, not by `due_date`."""
    return last_instant(day, timezone.get_default_timezone())


def late_rows(office_ids: Iterable[int], *, at: datetime, chosen: LateFilter | None = None) -> QuerySet[Task]:
    """Late with the office, the longest late first."""
    chosen = chosen or LateFilter()
    office_ids = set(office_ids)
    if chosen.office_id is not None:
        office_ids &= {chosen.office_id}
    rows = Task.objects.overdue_at(at).filter(Among(office_ids))
    if chosen.days:
        rows = rows.filter(due_at__lte=_end_of(late_since(chosen.days, today=timezone.localdate(at))))
    if chosen.role:
        rows = rows.filter(role=chosen.role)
    return rows.order_by("due_at", "id")


def headline_rows(office_ids: Iterable[int], *, at: datetime) -> dict[str, QuerySet[Task]]:
    """The lists behind the numbers on top of the page."""
    rows = Task.objects.filter(Among(office_ids))
    return {
        "late": rows.overdue_at(at),
        "soon": due_soon(rows.with_office(), at=at),
        "unaccepted": rows.filter(state=TaskState.ISSUED),
        "confirming": rows.filter(state=TaskState.CONFIRMING),
        "reviewing": rows.filter(state=TaskState.REVIEWING),
        "approved": rows.filter(state=TaskState.APPROVED),
    }


# --- the year, office by month ----------------------------------------------------------------------------------------


@dataclass
class HeatCell:
    """One office in one month of due dates."""

    total: int = 0
    late: int = 0
    returned: int = 0
    ahead: int = 0
    waiting: int = 0
    approved: int = 0
    filed_late: int = 0

    @property
    def worst(self) -> str:
        """What the cell is coloured by: late, returned, ahead (not yet due), waiting (filed), approved, or none."""
        for name in ("late", "returned", "ahead", "waiting", "approved"):
            if getattr(self, name):
                return name
        return "none"

    @property
    def worst_count(self) -> int:
        return 0 if self.worst == "none" else getattr(self, self.worst)

    def add(self, other: "HeatCell") -> None:
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class HeatMap:
    """office id → month (2026-09) → cell."""

    at: datetime
    year: int
    months: list[str]
    cells: dict[int, dict[str, HeatCell]] = field(default_factory=dict)

    def total_of(self, office_id: int) -> HeatCell:
        total = HeatCell()
        for cell in self.cells.get(office_id, {}).values():
            total.add(cell)
        return total


def heat(office_ids: Iterable[int], *, year: int, at: datetime) -> HeatMap:
    """Tasks due in a year (and in the January after it, where December's reports fall due), grouped in the database."""
    first, last = date(year, 1, 1), date(year + 1, 1, 31)
    rows = (
        Task.objects.filter(office_id__in=set(office_ids), due_date__gte=first, due_date__lte=last)
        .exclude(state=TaskState.CANCELLED)
        # a plain text function on both databases; TruncMonth calls Python for every row on SQLite
        .annotate(month=Substr(Cast("due_date", CharField()), 1, 7))
        .order_by()
        .values_list("office_id", "month", "state")
        .annotate(
            n=Count("id"),
            late=Count("id", filter=Q(due_at__lt=at)),
            filed_late=Count("id", filter=Q(first_submitted_at__gt=F("due_at"))),
        )
    )
    cells: dict[int, dict[str, HeatCell]] = defaultdict(lambda: defaultdict(HeatCell))
    for office_id, month, state, n, late, filed_late in rows:
        late = late if state in WITH_OFFICE else 0
        cell = HeatCell(total=n, late=late, filed_late=filed_late)
        if state == TaskState.RETURNED:
            cell.returned = n - late
        elif state in WITH_OFFICE:
            cell.ahead = n - late
        elif state in WAITING:
            cell.waiting = n
        else:
            cell.approved = n
        cells[office_id][month].add(cell)
    months = [f"{year}-{month:02}" for month in range(1, 13)]
    after = f"{year + 1}-01"
    if any(after in by_month for by_month in cells.values()):
        months.append(after)
    return HeatMap(at=at, year=year, months=months, cells={pk: dict(by_month) for pk, by_month in cells.items()})


# --- who is late, and who is nobody -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class OfficeLateness:
    """How many of an office's tasks are late, and how long (in working days: `LATE_STEPS`)."""

    office_id: int
    late: int
    steps: tuple[int, ...]
    oldest_due: date


def late_by_office(office_ids: Iterable[int], *, at: datetime) -> list[OfficeLateness]:
    """Offices with late tasks, the most first."""
    today = timezone.localdate(at)
    steps = {
        f"step_{days}": Count("id", filter=Q(due_at__lte=_end_of(late_since(days, today=today)))) for days in LATE_STEPS
    }
    rows = (
        Task.objects.overdue_at(at)
        .filter(office_id__in=set(office_ids))
        .order_by()
        .values("office_id")
        .annotate(n=Count("id"), oldest=Min("due_date"), **steps)
    )
    found = [
        OfficeLateness(row["office_id"], row["n"], tuple(row[f"step_{days}"] for days in LATE_STEPS), row["oldest"])
        for row in rows
    ]
    return sorted(found, key=lambda line: (-line.late, line.office_id))


@dataclass(frozen=True)
class Phantom:
    """An office with open tasks that nobody will do: `reason` nobody, never_logged_in or no_head."""

    office_id: int
    reason: str
    open_tasks: int


def phantoms(office_ids: Iterable[int], *, at: datetime) -> list[Phantom]:
    """Offices that have open tasks but no live person behind them, or no head to confirm."""
    office_ids = set(office_ids)
    counts = dict(
        Task.objects.filter(state__in=OPEN, office_id__in=office_ids)
        .order_by()
        .values_list("office_id")
        .annotate(n=Count("id"))
    )
    people: dict[int, list[tuple[str, datetime | None]]] = defaultdict(list)
    for office_id, role, last_login in (
        Membership.objects.active_on(timezone.localdate(at))
        .filter(office_id__in=counts, user__is_active=True)
        .order_by()
        .values_list("office_id", "role", "user__last_login")
    ):
        people[office_id].append((role, last_login))

    def reason(office_id: int) -> str:
        here = people[office_id]
        if not here:
            return "nobody"
        if all(last_login is None for _, last_login in here):
            return "never_logged_in"
        return "" if any(role == Membership.Role.HEAD for role, _ in here) else "no_head"

    order = ("nobody", "never_logged_in", "no_head")
    found = [Phantom(office_id, why, counts[office_id]) for office_id in sorted(counts) if (why := reason(office_id))]
    return sorted(found, key=lambda line: order.index(line.reason))
