"""What a person has been told."""

from dataclasses import dataclass

from django.db import connection
from django.db.models import F

from notifications.models import Delivery, Notification

COUNT_CAP = 99
PAGE = 30


def unread_count(user) -> int:
    """Number of unread notifications, counted up to 100 (the bell shows 99+)."""
    return Delivery.objects.filter(recipient=user, read_at=None).order_by()[: COUNT_CAP + 1].count()


def late_count(user) -> int:
    """Number of unread red notifications, counted up to 100: what the page's title and icon show."""
    rows = Delivery.objects.filter(recipient=user, read_at=None, notification__level=Notification.Level.RED)
    return rows.order_by()[: COUNT_CAP + 1].count()


def last_id(user) -> int:
    """The newest delivery's id, 0 if none: where a page starts to catch up from."""
    return Delivery.objects.filter(recipient=user).order_by("-id").values_list("id", flat=True).first() or 0


@dataclass(frozen=True)
class Bell:
    """What the frame of every page shows: unread_count, late_count and last_id in one query."""

    unread: int
    late: int
    last_id: int


# written out: every page asks this, and composing the three queries took longer than answering them
BELL_SQL = """
SELECT
  (SELECT COUNT(*) FROM (
    SELECT 1 AS one FROM notifications_delivery WHERE recipient_id = %s AND read_at IS NULL LIMIT %s
  ) AS unread),
  (SELECT COUNT(*) FROM (
    SELECT 1 AS one FROM notifications_delivery AS told
    JOIN notifications_notification AS said ON said.id = told.notification_id
    WHERE told.recipient_id = %s AND told.read_at IS NULL AND said.level = %s LIMIT %s
  ) AS late),
  COALESCE((SELECT id FROM notifications_delivery WHERE recipient_id = %s ORDER BY id DESC LIMIT 1), 0)
"""


def bell(user) -> Bell:
    cap = COUNT_CAP + 1
    with connection.cursor() as cursor:
        cursor.execute(BELL_SQL, [user.pk, cap, user.pk, Notification.Level.RED.value, cap, user.pk])
        return Bell(*cursor.fetchone())


def since(user, *, after: int, limit: int = 20) -> list[Delivery]:
    """The newest unread deliveries after an id, oldest of them first.

    Nothing is lost to "after": ids are in the order of commit (notifications.operations). What was read already, on
    another page or because a digest told of it, is no news.
    """
    rows = (
        Delivery.objects.filter(recipient=user, id__gt=after, read_at=None)
        .select_related("notification")
        .order_by("-id")
    )
    return list(reversed(rows[:limit]))


@dataclass(frozen=True)
class Page:
    """A page of a person's notifications, newest first. `older` continues the list, None at its end."""

    rows: list[Delivery]
    older: int | None


def page(user, *, unread: bool, before: int | None = None, size: int = PAGE) -> Page:
    """By id, not by number of the page: as fast at the end as at the beginning, and new ones shift nothing."""
    rows = Delivery.objects.filter(recipient=user).select_related("notification").order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    # what a digest told of is read from its first moment (docs/decisions/0004) and stays out of the list
    rows = rows.filter(read_at=None) if unread else rows.exclude(read_at=F("notification__at"))
    found = list(rows[: size + 1])
    return Page(rows=found[:size], older=found[size - 1].pk if len(found) > size else None)
