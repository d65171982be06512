"""The late list as a workbook."""

from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from deadlines.calendar import seeded_calendar
from deadlines.ladder import days_late
from reports.xlsx import Book, Column, plain
from tasks.models import Task

MAX_ROWS = 20_000


def late_workbook(rows: QuerySet[Task], *, at: datetime) -> bytes:
    """At most `MAX_ROWS` rows; a last line says so when there are more."""
    columns = [
        Column(_("指标"), 9.0),
        Column(_("事项"), 58.0),
        Column(_("责任部门"), 18.0),
        Column(_("角色"), 11.0),
        Column(_("所属期"), 12.0),
        Column(_("截止日期"), 12.0, "center"),
        Column(_("逾期工作日"), 11.0, "right"),
        Column(_("状态"), 13.0),
        Column(_("涉及分值"), 10.0, "right"),
    ]
    book = Book(_("逾期清单"))
    now = timezone.localtime(at)
    sheet = book.sheet(_("逾期清单"), columns, title=_("逾期清单({at})").format(at=f"{now:%Y-%m-%d %H:%M}"))
    sheet.header()
    calendar, tz = seeded_calendar(), timezone.get_default_timezone()
    found = list(rows.select_related("office", "indicator")[: MAX_ROWS + 1])
    late: dict[datetime, int] = {}  # a year has few distinct due instants
    for task in found[:MAX_ROWS]:
        if task.due_at not in late:
            late[task.due_at] = days_late(task.due_at, at, tz, calendar)
        sheet.line(
            [
                task.indicator.code,
                task.title,
                task.office.name,
                task.get_role_display(),
                task.period,
                task.due_date,
                late[task.due_at],
                task.get_state_display(),
                None if task.points is None else plain(task.points),
            ]
        )
    if len(found) > MAX_ROWS:
        sheet.banner(_("只列出逾期最久的 {n} 项,其余请按处室筛选后再导出。").format(n=MAX_ROWS), border=0)
    return book.content()
