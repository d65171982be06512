"""Reading and verifying the audit trail."""

from collections.abc import Iterator
from dataclasses import dataclass

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
            yield Break(expected_seq, f"缺少第{expected_seq}条至第{entry.seq - 1}条")
            expected_seq = entry.seq
        if entry.prev_hash != prev:
            yield Break(entry.seq, "与前一条的校验值不相连")
        actual = hash_of(entry)
        if actual != entry.hash:
            yield Break(entry.seq, "内容与校验值不符,记录被改动过")
        prev = entry.hash
        expected_seq += 1
    if head is None:
        yield Break(0, "缺少链首记录")
    elif (head.seq, head.hash) != (expected_seq - 1, prev):
        yield Break(head.seq, "末尾记录与链首登记不符,可能被截断")


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
