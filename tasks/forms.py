"""What is typed into the report form of a task: kept as typed, judged by the operations."""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from django.http import QueryDict
from django.utils.dateparse import parse_datetime

from tasks.models import Submission, Task


def new_token() -> str:
    return uuid4().hex


def plain(text: str) -> str:
    """Text as it is stored: no NUL (PostgreSQL refuses it), line ends as \\n (a browser sends \\r\\n)."""
    return text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")


def whole_number(raw: str | None) -> int | None:
    return int(raw) if raw and raw.isdigit() and len(raw) < 12 else None


def instant(raw: str | None) -> datetime | None:
    """An aware instant, or None for anything else."""
    try:
        found = parse_datetime(raw or "")
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


@dataclass(frozen=True)
class Typed:
    """What was typed into the report form. Values by the name of the measure, whatever their field is called."""

    text: str
    values: dict[str, str]
    revision: int
    token: str
    base: datetime | None


def measure_names(task: Task) -> list[str]:
    return [m["name"] for m in (task.clause.measures if task.clause_id else [])]


def typed_of(post: QueryDict, task: Task) -> Typed:
    """Read a posted report form; what is missing or forged reads as something that no operation accepts."""
    revision = whole_number(post.get("revision"))
    return Typed(
        text=plain(post.get("text", "")),
        values={name: plain(post.get(f"v{i}", ""))[:60].strip() for i, name in enumerate(measure_names(task))},
        revision=-1 if revision is None else revision,
        token=plain(post.get("token", ""))[:40] or new_token(),
        base=instant(post.get("base")),
    )


def merged(post: QueryDict, task: Task, draft: Submission | None) -> Typed:
    """An autosave sends only the fields that changed (their names in `_fields`): the rest stays as it was saved."""
    typed = typed_of(post, task)
    if "_fields" not in post:
        return typed
    sent = set(post["_fields"].split(","))
    values = dict(draft.values) if draft else {}
    for i, name in enumerate(measure_names(task)):
        if f"v{i}" in sent:
            values[name] = typed.values[name]
    text = typed.text if "text" in sent else (draft.text if draft else "")
    return Typed(text=text, values=values, revision=typed.revision, token=typed.token, base=typed.base)
