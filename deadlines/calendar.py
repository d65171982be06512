"""Working days: weekends rest, except where a notice of the State Council says otherwise (放假、调休)."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache

from chinese_calendar import constants

SATURDAY = 5
ONE_DAY = timedelta(days=1)


class WorkCalendar:
    """Which days are worked.

    `days` are the exceptions to the week: True a make-up day that is worked (调休), False a holiday.
    `known_years` are the years with a notice; in every other year only weekends rest and answers are provisional.
    Two calendars of the same content are equal, so that one built anew from the database finds the same cached
    schedules. Not to be changed after construction.
    """

    __slots__ = ("_days", "_hash", "_known_years")

    def __init__(self, *, days: Mapping[date, bool], known_years: frozenset[int]) -> None:
        for day, worked in days.items():
            _require_date(day)
            if not isinstance(worked, bool):
                raise TypeError(f"{day}: True (worked) or False (holiday) expected, not {worked!r}")
        self._days = dict(days)
        self._known_years = frozenset(known_years)
        self._hash = hash((frozenset(self._days.items()), self._known_years))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WorkCalendar):
            return NotImplemented
        return self is other or (self._days == other._days and self._known_years == other._known_years)

    def __hash__(self) -> int:
        return self._hash

    @property
    def days(self) -> dict[date, bool]:
        """A copy of the exceptions, for seeding a table."""
        return dict(self._days)

    @property
    def known_years(self) -> frozenset[int]:
        return self._known_years

    def is_workday(self, d: date) -> bool:
        _require_date(d)
        worked = self._days.get(d)
        return d.weekday() < SATURDAY if worked is None else worked

    def is_provisional(self, d: date) -> bool:
        """True in a year without a notice: its holidays and make-up days are not known yet."""
        _require_date(d)
        return d.year not in self._known_years

    def add_workdays(self, d: date, n: int) -> date:
        """The n-th working day after d, for negative n before it; d itself is never counted, and n = 0 returns d."""
        _require_date(d)
        step = ONE_DAY if n > 0 else -ONE_DAY
        left = abs(n)
        while left:
            d += step
            left -= self.is_workday(d)
        return d

    def workdays_between(self, a: date, b: date) -> int:
        """Working days from a to b, without a, with b; negative if b is earlier.

        So `workdays_between(d, add_workdays(d, n)) == n` for every n, whether or not d is worked. For the same reason
        it is not antisymmetric: from Sunday back to Friday is -1 (Friday), from Friday to Sunday 0.
        """
        _require_date(a)
        _require_date(b)
        sign, step = (1, ONE_DAY) if b >= a else (-1, -ONE_DAY)
        count = 0
        while a != b:
            a += step
            count += self.is_workday(a)
        return sign * count

    def next_workday(self, d: date) -> date:
        """The first working day after d, d itself excluded."""
        return self.add_workdays(d, 1)

    def previous_workday(self, d: date) -> date:
        """The last working day before d, d itself excluded."""
        return self.add_workdays(d, -1)


def _require_date(d: date) -> None:
    # A datetime is a date but never equal to one: its exceptions would silently not be found.
    if not isinstance(d, date) or isinstance(d, datetime):
        raise TypeError(f"a plain local date expected, not {d!r}")


@lru_cache(maxsize=1)
def seeded_calendar() -> WorkCalendar:
    """The calendar of the chinese_calendar package: exact for the years it knows, provisional for all others.

    Read from its tables and not through `is_workday`, which raises for a year without a notice; a deadline in such a
    year must still have warnings.
    """
    days = dict.fromkeys(constants.holidays, False) | dict.fromkeys(constants.workdays, True)
    # A notice may reach a few days into the next year. Only National Day shows that a year has a notice of its own.
    known = frozenset(day.year for day in constants.holidays if (day.month, day.day) == (10, 1))
    return WorkCalendar(days=days, known_years=known)
