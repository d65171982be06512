"""Appending to the audit trail."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from accounts.actors import Actor
from audit.models import AuditEntry, AuditHead
from audit.verbs import VERBS


def canonical(entry: AuditEntry) -> bytes:
    """The exact bytes that an entry's hash covers."""
    return json.dumps(
        {
            "seq": entry.seq,
            "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "actor": entry.actor_id,
            "actor_label": entry.actor_label,
            "ip": entry.ip,
            "verb": entry.verb,
            "subject_type": entry.subject_type,
            "subject_id": entry.subject_id,
            "office": entry.office_id,
            "detail": entry.detail,
            "prev": entry.prev_hash,
        },
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    ).encode()


def hash_of(entry: AuditEntry) -> str:
    return hashlib.sha256(canonical(entry)).hexdigest()


def record(
    *,
    actor: Actor,
    at: datetime,
    verb: str,
    subject: Any,
    office_id: int | None = None,
    detail: dict[str, Any] | None = None,
) -> AuditEntry:
    """Append one entry, inside the caller's transaction (which it requires).

    The chain's head stays locked until that transaction ends: call this after the change itself, so that the lock is
    short. `detail` holds strings, numbers, lists and objects of them; no Decimal, no free personal data.
    """
    if verb not in VERBS:
        raise KeyError(f"unregistered audit verb {verb!r}: add its sentence to audit/verbs.py")
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("audit.record belongs inside the transaction of the change it records")
    head = AuditHead.objects.select_for_update().get(pk=1)
    entry = AuditEntry(
        seq=head.seq + 1,
        at=at,
        actor=actor.user,
        actor_label=actor.label,
        ip=actor.ip,
        verb=verb,
        subject_type=subject._meta.label_lower,
        subject_id=subject.pk,
        office_id=office_id,
        detail=detail or {},
        prev_hash=head.hash,
    )
    entry.hash = hash_of(entry)
    entry.save(force_insert=True)
    head.seq, head.hash = entry.seq, entry.hash
    head.save(update_fields=["seq", "hash"])
    return entry
