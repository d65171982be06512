"""Telling people: rows now, in the caller's transaction; pushes after it has committed."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Max

from audit.models import AuditHead
from notifications import push
from notifications.models import Delivery, Notification
from notifications.rows import insert_missing

logger = logging.getLogger("zeren.outbox")
SWEEP_BATCH = 5000
NOTIFICATION_COLUMNS = ("key", "kind", "level", "title", "body", "url")
DELIVERY_COLUMNS = ("notification_id", "recipient_id")


@dataclass(frozen=True)
class Message:
    """Something to tell. `key` makes it once-only; recipients are ids of people.

    `title` and `body` are kept, and read by people other than the writer: they are Chinese, the language of the
    notice, and are written without gettext, which would use the language of whoever sent the request.

    `quiet` recipients get their row as well, but already read and pushed: another message tells them of this one
    together with others (docs/decisions/0004).
    """

    key: str
    kind: str
    title: str
    url: str
    recipients: frozenset[int]
    level: str = "info"
    body: str = ""
    quiet: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Written:
    """What `write` added: rows, the people whose pages should look, and the newest delivery's id."""

    deliveries: int = 0
    people: frozenset[int] = frozenset()
    newest: int = 0


def notify(*, messages: Sequence[Message], at: datetime) -> int:
    """Write the messages that were never written before. Returns how many deliveries were added.

    Runs in the caller's transaction. A key that exists already is left as it is, with the recipients it had.
    """
    written = write(messages=messages, at=at)
    push.poke_on_commit(written.people, newest=written.newest)
    return written.deliveries


def write(*, messages: Sequence[Message], at: datetime) -> Written:
    """The rows of `notify`, without the push: for bulk work that pushes once at its end."""
    wanted = {m.key: m for m in messages if m.recipients or m.quiet}
    if not wanted:
        return Written()
    with transaction.atomic(savepoint=False):
        fresh = insert_missing(
            Notification,
            columns=NOTIFICATION_COLUMNS,
            # in the order of keys: two writers of the same keys wait for each other instead of deadlocking
            rows=[(m.key, m.kind, m.level, m.title[:200], m.body, m.url) for _, m in sorted(wanted.items())],
            constants={"at": at},
            returning=("id", "key"),
        )
        ids = {key: pk for pk, key in fresh}
        new = [(ids[key], m) for key, m in wanted.items() if key in ids]
        loud = [(pk, user_id) for pk, m in new for user_id in sorted(m.recipients)]
        quiet = [(pk, user_id) for pk, m in new for user_id in sorted(m.quiet - m.recipients)]
        if not loud and not quiet:
            return Written()
        _hold_commit_order()
        in_app = {"channel": str(Delivery.Channel.IN_APP)}
        # sent_at and read_at have no default in the database: absent is null
        insert_missing(Delivery, columns=DELIVERY_COLUMNS, rows=loud, constants=in_app)
        insert_missing(
            Delivery, columns=DELIVERY_COLUMNS, rows=quiet, constants=in_app | {"sent_at": at, "read_at": at}
        )
        newest = Delivery.objects.aggregate(newest=Max("id"))["newest"]
    people = frozenset(user_id for _, user_id in loud)
    return Written(deliveries=len(loud) + len(quiet), people=people, newest=newest)


def _hold_commit_order() -> None:
    """From here to the end of the transaction nobody else writes deliveries: their ids are in the order of commit.

    Pages catch up by "everything after the last id I saw"; a lower id committed later would be lost to them. The lock
    is the audit head's row, which operations hold already when they tell people: a lock of its own, taken in another
    order elsewhere, could deadlock with it. On SQLite there is only ever one writer.
    """
    if connection.features.has_select_for_update:
        list(AuditHead.objects.select_for_update().filter(pk=1).values_list("pk"))


def deliver_pending(*, at: datetime, limit: int = 100_000) -> int:
    """Push what is not known to have been pushed (the pusher died, or the channel layer was down), oldest first.

    A delivery is stamped only after its push was handed over, so a crash in between repeats a push: harmless, it says
    no more than "look". Returns how many were stamped. If the channel layer is down nothing is stamped: the next tick
    tries again, and open pages are served by the hub's own reading meanwhile.
    """
    stamped = 0
    while stamped < limit:
        rows = list(
            Delivery.objects.filter(sent_at=None)
            .order_by("id")
            .values_list("id", "recipient_id")[: min(SWEEP_BATCH, limit - stamped)]
        )
        if not rows:
            break
        try:
            push.send({user_id for _, user_id in rows}, newest=rows[-1][0])
        except Exception as error:
            logger.warning("outbox not pushed (%s); it is tried again at the next tick", error)
            break
        # by id, not "up to id": exactly the rows that were pushed
        stamped += Delivery.objects.filter(id__in=[pk for pk, _ in rows], sent_at=None).update(sent_at=at)
        if len(rows) < SWEEP_BATCH:
            break
    return stamped


def mark_read(*, user, at: datetime, up_to_id: int | None = None, ids: Iterable[int] | None = None) -> int:
    """Take a person's deliveries as read: all up to one, or the named ones. Others' are not touched."""
    rows = Delivery.objects.filter(recipient=user, read_at=None)
    if ids is not None:
        rows = rows.filter(id__in=list(ids))
    elif up_to_id is not None:
        rows = rows.filter(id__lte=up_to_id)
    else:
        raise TypeError("mark_read needs up_to_id or ids: reading everything unseen is never meant")
    changed = rows.update(read_at=at)
    if changed:
        push.poke_on_commit({user.pk})  # the bells of the person's other pages
    return changed
