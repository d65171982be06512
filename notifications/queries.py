"""What a person has been told."""

from notifications.models import Delivery

UNREAD_SHOWN = 99


def unread_count(user) -> int:
    """Number of unread notifications, counted up to 100 (the bell shows 99+)."""
    return Delivery.objects.filter(recipient=user, read_at=None).order_by()[: UNREAD_SHOWN + 1].count()


def last_id(user) -> int:
    """The newest delivery's id, 0 if none: where a page starts to catch up from."""
    return (
        Delivery.objects.filter(recipient=user).order_by("-id").values_list("id", flat=True).first() or 0
    )


def since(user, *, after: int, limit: int = 20) -> list[Delivery]:
    """Deliveries after an id, oldest first; several writers may commit out of order, so unread ones a little
    before it are looked at again by the page's own reconciliation (it asks for the unread count too)."""
    rows = Delivery.objects.filter(recipient=user, id__gt=after).select_related("notification").order_by("-id")
    return list(reversed(rows[:limit]))
