"""Telling people: rows now, in the caller's transaction; pushes after it has committed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from notifications import push
from notifications.models import Delivery, Notification

BATCH = 2000


@dataclass(frozen=True)
class Message:
    """Something to tell. `key` makes it once-only; recipients are ids of people."""

    key: str
    kind: str
    title: str
    url: str
    recipients: frozenset[int]
    level: str = Notification.Level.INFO
    body: str = ""


def notify(*, messages: Sequence[Message], at: datetime) -> int:
    """Write the messages that were never written before. Returns how many deliveries were added.

    Runs in the caller's transaction. A key that exists already is left as it is, with the recipients it had.
    """
    messages = [m for m in messages if m.recipients]
    if not messages:
        return 0
    with transaction.atomic():
        known = set()
        for start in range(0, len(messages), BATCH):
            keys = [m.key for m in messages[start : start + BATCH]]
            known.update(Notification.objects.filter(key__in=keys).values_list("key", flat=True))
        fresh = {m.key: m for m in messages if m.key not in known}
        rows = Notification.objects.bulk_create(
            [
                Notification(
                    key=m.key, kind=m.kind, level=m.level, title=m.title[:200], body=m.body, url=m.url, at=at
                )
                for m in fresh.values()
            ],
            batch_size=BATCH,
        )
        deliveries = [
            Delivery(notification=row, recipient_id=user_id)
            for row in rows
            for user_id in sorted(fresh[row.key].recipients)
        ]
        Delivery.objects.bulk_create(deliveries, batch_size=BATCH)
        push.poke_on_commit({d.recipient_id for d in deliveries})
    return len(deliveries)


def deliver_pending(*, at: datetime, limit: int = 5000) -> int:
    """Push what no push was tried for yet (a process may have died between commit and push), oldest first."""
    rows = list(
        Delivery.objects.filter(sent_at=None).order_by("id").values_list("id", "recipient_id")[:limit]
    )
    if not rows:
        return 0
    push.poke({user_id for _, user_id in rows})
    return Delivery.objects.filter(id__gte=rows[0][0], id__lte=rows[-1][0], sent_at=None).update(sent_at=at)


def mark_read(*, user, at: datetime, up_to_id: int | None = None, ids: Iterable[int] | None = None) -> int:
    """Take a person's deliveries as read: all up to one, or the named ones. Others' are not touched."""
    rows = Delivery.objects.filter(recipient=user, read_at=None)
    rows = rows.filter(id__lte=up_to_id) if ids is None else rows.filter(id__in=list(ids))
    return rows.update(read_at=at)
