"""What issuing would make, and what should be looked at first."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.grants import members
from accounts.models import Office
from deadlines.recurrence import due_at as last_instant
from schemes.document import Document
from schemes.models import SchemeVersion
from schemes.queries import load_document
from tasks.issuing.rows import office_ids_of
from tasks.planning import PlannedTask, plan


@dataclass(frozen=True)
class PreviewWarning:
    """Something to know before issuing. `office` names the office it is about, if any."""

    kind: str  # nobody, no_head, retired, past, inherited, doubts, cycle
    message: str
    office: str = ""

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Preview:
    """What issuing would do. `already_past`: due before the instant of issue; `without_person`: nobody would see it."""

    offices: dict[str, int]
    tasks: list[PlannedTask]
    warnings: list[PreviewWarning]
    already_past: list[PlannedTask]
    without_person: list[PlannedTask]

    @property
    def before_issue(self) -> int:
        return len(self.already_past)

    def __str__(self) -> str:
        return f"{len(self.offices)}个处室,{len(self.tasks)}项任务,{len(self.warnings)}条提醒"


def preview(*, version: SchemeVersion, at: datetime) -> Preview:
    """What issuing at that instant would make, and what should be looked at first. Changes nothing."""
    document = load_document(version)
    planned = plan(document)
    offices = office_ids_of(version)
    tz = timezone.get_default_timezone()
    today = timezone.localdate(at, tz)
    past = [task for task in planned if last_instant(task.due, tz) < at]
    counts = Counter(task.office for task in planned)
    used = {name: offices[name] for name in counts}
    people = members(office_ids=set(used.values()), on=today)
    empty = {name for name, pk in used.items() if not people[pk]}
    return Preview(
        offices=dict(counts),
        tasks=planned,
        warnings=list(_warnings(document, planned, used=used, empty=empty, past=past, today=today)),
        already_past=past,
        without_person=[task for task in planned if task.office in empty],
    )


def _warnings(
    document: Document,
    planned: Sequence[PlannedTask],
    *,
    used: Mapping[str, int],
    empty: set[str],
    past: Sequence[PlannedTask],
    today: date,
) -> Iterator[PreviewWarning]:
    counts = Counter(task.office for task in planned)
    active = set(Office.objects.active_on(today).filter(id__in=used.values()).values_list("id", flat=True))
    for name in used:
        if used[name] not in active:
            yield PreviewWarning(
                "retired", _("{name}已撤销或尚未设立,{n}项任务没有去处").format(name=name, n=counts[name]), name
            )
        if name in empty:
            yield PreviewWarning(
                "nobody", _("{name}没有在职人员,{n}项任务无人办理").format(name=name, n=counts[name]), name
            )
    if document.settings.get("head_confirmation"):
        heads = members(office_ids=set(used.values()), on=today, heads_only=True)
        for name, pk in used.items():
            if not heads[pk] and name not in empty:
                yield PreviewWarning("no_head", _("{name}没有负责人,报送后无人确认").format(name=name), name)
    yield from _past(past)
    inherited = [row.code for row in document.rows if any(office.inherited for office in row.offices)]
    if inherited:
        words = _("{n}行没有印责任部门,按合并单元格推定:{rows}")
        yield PreviewWarning("inherited", words.format(n=len(inherited), rows=_("、").join(inherited)))
    by_cycle = len({task.place for task in planned if task.by_cycle})
    if by_cycle:
        words = _("{n}项原文没有报送日期,按方案申报周期:{reading}")
        yield PreviewWarning("cycle", words.format(n=by_cycle, reading=document.reporting_cycle["reading"]))
    if document.doubts:
        yield PreviewWarning("doubts", _("原文有{n}处存疑,下达即按所选读法执行").format(n=len(document.doubts)))


def _past(past: Sequence[PlannedTask]) -> Iterator[PreviewWarning]:
    """One line per deadline of the notice, however many offices and periods it has."""
    dues: dict[tuple, set[date]] = {}
    named: dict[tuple, PlannedTask] = {}
    for task in past:
        place = task.row, task.clause_position, task.deadline_position
        dues.setdefault(place, set()).add(task.due)
        named[place] = task
    for place, task in named.items():
        last, count = max(dues[place]), len(dues[place])
        words = (
            _("{place}“{title}”已有{n}期截止(最近{day}),下达时已过期")
            if count > 1
            else _("{place}“{title}”{day}截止,下达时已过期")
        )
        where = f"{task.row}/{task.clause}" if task.clause else task.row
        yield PreviewWarning("past", words.format(place=where, title=task.title, n=count, day=f"{last:%Y-%m-%d}"))
