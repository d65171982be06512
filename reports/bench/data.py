"""A made-up organisation of a given size, with a year of tasks, written in bulk."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction
from django.utils import timezone

from accounts.grants import Power, grant
from accounts.models import Membership, Office, User
from deadlines.calendar import seeded_calendar
from deadlines.ladder import first_check
from deadlines.recurrence import due_at
from notifications.rows import insert_missing
from schemes.models import Clause, Deadline, Indicator, Responsibility, Scheme, SchemeVersion, ScoringRule, Section
from tasks.models import Task, TaskState

ROWS = 43
CLAUSES_PER_ROW = 5
# a Tuesday: due, then three and seven working days with nothing in between
LATE_DUE = date(2026, 3, 10)
ISSUED_AT = datetime(2026, 1, 5, 9, 0)
CHUNK = 5000
REPORTING_CYCLE = {"kind": "quarterly", "quote": "按季度申报", "reading": "每季度申报一次", "doubt": None}
TASK_COLUMNS = """
    key version_id indicator_id clause_id office_id role title quote period starts_on ends_on due_date due_at
    by_cycle assigned_extra due_before_issue points state revision issued_at held_since next_check_at
"""


@dataclass
class Organisation:
    root: Office
    offices: list[Office]
    clerk: User  # of the first office
    coordinator: User
    version: SchemeVersion
    clauses: list[Clause]


def organisation(*, offices: int, members: int) -> Organisation:
    """Offices with one head and clerks, a coordinator over all of them, and a scheme of 43 rows with 215 clauses."""
    with transaction.atomic():
        root = Office.objects.create(name="市测量委员会")
        children = Office.objects.bulk_create(
            [Office(name=f"第{n:03}测量处", parent=root, position=n) for n in range(1, offices + 1)]
        )
        people = User.objects.bulk_create(
            [
                User(username=f"u{n}-{i}", name=f"第{n}处{i}号", password="!")  # noqa: S106
                for n in range(1, offices + 1)
                for i in range(1, members + 1)
            ],
            batch_size=500,
        )
        Membership.objects.bulk_create(
            [
                Membership(
                    user=user,
                    office=children[index // members],
                    role=Membership.Role.CLERK if index % members else Membership.Role.HEAD,
                )
                for index, user in enumerate(people)
            ],
            batch_size=500,
        )
        coordinator = User.objects.create(username="coordinator", name="统筹员", password="!")  # noqa: S106
        grant(user=coordinator, power=Power.COORDINATE, office=root)
        version, clauses = _scheme(root)
    return Organisation(root, children, people[1] if members > 1 else people[0], coordinator, version, clauses)


def _scheme(root: Office, *, key: str = "bench", issued: bool = True) -> tuple[SchemeVersion, list[Clause]]:
    at = timezone.make_aware(ISSUED_AT)
    version = SchemeVersion.objects.create(
        scheme=Scheme.objects.create(key=key, title="测量用考核方案"),
        year=2026,
        number=1,
        status=SchemeVersion.Status.ISSUED if issued else SchemeVersion.Status.DRAFT,
        title="2026年度测量用考核方案",
        issued_on=at.date(),
        points=Decimal("100"),
        digest="0" * 64,
        unit=root,
        imported_at=at,
        issued_at=at if issued else None,
        reporting_cycle=REPORTING_CYCLE,
    )
    section = Section.objects.create(version=version, position=0, no="一", title="工作目标", line=1)
    rows = Indicator.objects.bulk_create(
        [
            Indicator(
                version=version,
                section=section,
                position=n,
                code=f"1.{n + 1:02}",
                path=["重点工作", f"第{n + 1}项工作"],
                points=Decimal("2.5"),
                line=n,
            )
            for n in range(ROWS)
        ]
    )
    clauses = Clause.objects.bulk_create(
        [
            Clause(
                indicator=row,
                position=n,
                no=n + 1,
                line=n,
                text=f"{n + 1}.每月5日前报送工作情况,未及时上报的,每次扣0.05分(0.5)",
                points=Decimal("0.5"),
            )
            for row in rows
            for n in range(CLAUSES_PER_ROW)
        ],
        batch_size=500,
    )
    ScoringRule.objects.bulk_create(
        [
            ScoringRule(
                indicator_id=clause.indicator_id,
                clause=clause,
                position=0,
                code=f"late-{clause.no}",
                kind="deduct_per_event",
                quote="未及时上报的,每次扣0.05分",
                params={"kind": "deduct_per_event", "amount": "0.05", "unit": "次"},
                digest="0" * 64,
            )
            for clause in clauses
        ],
        batch_size=500,
    )
    return version, clauses


def draft(org: Organisation, *, offices_per_row: int) -> SchemeVersion:
    """A version waiting to be issued: 215 clauses due monthly, each row answered for by some offices.

    4 offices per row make 10,320 tasks.
    """
    with transaction.atomic():
        version, clauses = _scheme(org.root, key="bench-draft", issued=False)
        Deadline.objects.bulk_create(
            [
                Deadline(
                    indicator_id=clause.indicator_id,
                    clause=clause,
                    position=0,
                    kind="monthly",
                    quote="每月5日前报送工作情况",
                    params={"kind": "monthly", "quote": "每月5日前报送工作情况", "day": 5, "what": "工作情况"},
                )
                for clause in clauses
            ],
            batch_size=500,
        )
        rows = sorted({clause.indicator_id for clause in clauses})
        Responsibility.objects.bulk_create(
            [
                Responsibility(
                    indicator_id=row,
                    position=n,
                    name=office.name,
                    office=office,
                    role=Responsibility.Role.RESPONSIBLE,
                )
                for index, row in enumerate(rows)
                for n in range(offices_per_row)
                for office in [org.offices[(index * offices_per_row + n) % len(org.offices)]]
            ],
            batch_size=500,
        )
    return version


def tasks(org: Organisation, *, count: int, late: int) -> datetime:
    """`count` tasks issued, `late` of them due on LATE_DUE and warned of up to that day; the rest due in the autumn.

    Returns the first instant at which the late ones are late.
    """
    tz, calendar = timezone.get_default_timezone(), seeded_calendar()
    issued_at = timezone.make_aware(ISSUED_AT)
    late_at = due_at(LATE_DUE, tz)

    def row(n: int) -> tuple:
        clause = org.clauses[(n // len(org.offices)) % len(org.clauses)]
        if n < late:
            due_date, due = LATE_DUE, late_at
            check = late_at + timedelta(microseconds=1)
        else:
            due_date = date(2026, 9, 1) + timedelta(days=n % 90)
            due = due_at(due_date, tz)
            check = first_check(due_at=due, issued_at=issued_at, calendar=calendar, tz=tz)
        return (
            f"bench:{n}",
            org.version.pk,
            clause.indicator_id,
            clause.pk,
            org.offices[n % len(org.offices)].pk,
            str(Responsibility.Role.RESPONSIBLE),
            f"报送第{clause.no}项工作情况",
            "每月5日前报送",
            f"2026-{due_date.month:02}",
            due_date.replace(day=1).isoformat(),
            due_date.isoformat(),
            due_date.isoformat(),
            due,
            False,
            False,
            False,
            "0.5",
            str(TaskState.ISSUED),
            0,
            issued_at,
            issued_at,
            check,
        )

    for start in range(0, count, CHUNK):
        with transaction.atomic():
            rows = [row(n) for n in range(start, min(start + CHUNK, count))]
            insert_missing(Task, columns=TASK_COLUMNS.split(), rows=rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return late_at + timedelta(seconds=1)
