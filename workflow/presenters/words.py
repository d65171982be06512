"""What the pages of work call things: points, periods, clauses, roles, instants."""

from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from django.conf import settings
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from deadlines.recurrence import period_label
from schemes.models import Responsibility
from scoring.points import format_points
from tasks.models import Task


def points_words(points: Decimal | None) -> str:
    return "" if points is None else _points(points, get_language())


@lru_cache(maxsize=1024)
def _points(points: Decimal, language: str | None) -> str:
    return _("{points} 分").format(points=format_points(points))


def period_words(period: str) -> str:
    """2017年第三季度; in English as it is written: 2017-Q3."""
    return _in_chinese(period) if get_language() == settings.LANGUAGE_CODE else period


@lru_cache(maxsize=1024)
def _in_chinese(period: str) -> str:
    """A period of another shape as it stands."""
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


def role_words(task: Task) -> str:
    return str(Responsibility.Role(task.role).label)
