"""Reading and verifying the audit trail."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.apps import apps
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.grants import Scope
from accounts.models import Office, User
from audit.models import AuditEntry, AuditHead
from audit.operations import hash_of
from audit.verbs import VERBS


@dataclass(frozen=True)
class Break:
    """A place where the chain does not hold."""

    seq: int
    reason: str


def breaks() -> Iterator[Break]:
    """Every place where an entry was changed, removed, inserted or cut off (checks the whole chain)."""
    head = AuditHead.objects.filter(pk=1).first()
    expected_seq, prev = 1, "0" * 64
    for entry in AuditEntry.objects.order_by("seq").iterator(chunk_size=2000):
        if entry.seq != expected_seq:
            yield Break(expected_seq, _("缺少第{first}条至第{last}条").format(first=expected_seq, last=entry.seq - 1))
            expected_seq = entry.seq
        if entry.prev_hash != prev:
            yield Break(entry.seq, _("与前一条的校验值不相连"))
        actual = hash_of(entry)
        if actual != entry.hash:
            yield Break(entry.seq, _("内容与校验值不符,记录被改动过"))
        prev = entry.hash
        expected_seq += 1
    if head is None:
        yield Break(0, _("缺少链首记录"))
    elif (head.seq, head.hash) != (expected_seq - 1, prev):
        yield Break(head.seq, _("末尾记录与链首登记不符,可能被截断"))


def history_of(subject, *, limit: int = 200) -> list[AuditEntry]:
    """What happened to one object, oldest first."""
    rows = AuditEntry.objects.filter(subject_type=subject._meta.label_lower, subject_id=subject.pk)
    return list(rows.select_related("actor").order_by("seq")[:limit])


class _Missing(dict):
    def __missing__(self, key: str) -> str:
        return "…"


def sentence(entry: AuditEntry) -> str:
    """What a person reads: 报送(第2次)."""
    return str(VERBS.get(entry.verb, entry.verb)).format_map(_Missing(entry.detail))


# ------------------------------------------------------------------ the auditors' page

PAGE = 50


@dataclass(frozen=True)
class Filter:
    """What an auditor looks for. Everything is optional."""

    person: str = ""
    verb: str = ""
    since: date | None = None
    until: date | None = None
    subject_type: str = ""
    subject_id: int | None = None


@dataclass(frozen=True)
class Page:
    """A stretch of the trail, newest first. `older`, `newer`: the entry's number to go on from, None at the end."""

    entries: list[AuditEntry]
    older: int | None
    newer: int | None


def visible_to(scope: Scope):
    """The whole trail for who audits the top of the tree; else what concerns the audited offices."""
    if Office.objects.filter(parent=None, pk__in=scope.audit).exists():
        return AuditEntry.objects.all()
    return AuditEntry.objects.filter(office_id__in=scope.audit)


def search(scope: Scope, asked: Filter, *, before: int | None = None, after: int | None = None) -> Page:
    """One page of the trail by number (never by offset: the last page costs what the first does)."""
    rows = visible_to(scope)
    if text := asked.person.strip():
        people = User.objects.filter(Q(name__icontains=text) | Q(username__icontains=text)).order_by()
        rows = rows.filter(
            Q(actor_id__in=list(people.values_list("id", flat=True)[:200])) | Q(actor=None, actor_label__icontains=text)
        )
    if asked.verb:
        rows = rows.filter(verb=asked.verb)
    if asked.since:
        rows = rows.filter(at__gte=_midnight(asked.since))
    if asked.until:
        rows = rows.filter(at__lt=_midnight(asked.until + timedelta(days=1)))
    if asked.subject_type:
        rows = rows.filter(subject_type=asked.subject_type)
        if asked.subject_id is not None:
            rows = rows.filter(subject_id=asked.subject_id)
    if after is not None:
        found = list(rows.filter(seq__gt=after).order_by("seq")[: PAGE + 1])
        more_newer, found = len(found) > PAGE, list(reversed(found[:PAGE]))
        return Page(
            found,
            older=found[-1].seq if found and rows.filter(seq__lt=found[-1].seq).exists() else None,
            newer=found[0].seq if more_newer else None,
        )
    stretch = rows if before is None else rows.filter(seq__lt=before)
    found = list(stretch.order_by("-seq")[: PAGE + 1])
    more_older, found = len(found) > PAGE, found[:PAGE]
    return Page(
        found,
        older=found[-1].seq if more_older else None,
        newer=found[0].seq if found and before is not None and rows.filter(seq__gt=found[0].seq).exists() else None,
    )


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def verb_choices() -> list[tuple[str, str]]:
    """Every verb with its sentence, the places for names left open."""
    return [(verb, re.sub(r"\{\w+\}", "…", str(text))) for verb, text in VERBS.items()]


def subject_name(entry: AuditEntry) -> str:
    """任务 12: the kind of the object and its number."""
    try:
        kind = str(apps.get_model(entry.subject_type)._meta.verbose_name)
    except (LookupError, ValueError):
        kind = entry.subject_type
    return kind if entry.subject_id is None else f"{kind} {entry.subject_id}"


def length() -> int:
    """How many entries the trail has (its head says)."""
    head = AuditHead.objects.filter(pk=1).first()
    return head.seq if head else 0
