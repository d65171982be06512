"""What the database and the disk hold, so that "nothing was changed" can be compared and not only hoped for."""

import hashlib
from datetime import datetime
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection

from audit.queries import breaks
from reports.invariants import verify
from tasks.files import path_of
from tasks.models import Blob

# sessions, locked-out names and the like are not what the operations are about
OUTSIDE = {"sessions", "contenttypes", "axes", "admin"}


def tables() -> list[str]:
    models = apps.get_models(include_auto_created=True)
    return sorted(
        {m._meta.db_table for m in models if m._meta.managed and not m._meta.proxy and m._meta.app_label not in OUTSIDE}
    )


def contents() -> dict[str, str]:
    """Table → digest of its rows."""
    found = {}
    existing = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for table in tables():
            if table in existing:
                cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
                rows = sorted(map(repr, cursor.fetchall()))
                found[table] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return found


def changed(before: dict[str, str]) -> list[str]:
    """The tables that are different now."""
    now = contents()
    return sorted(table for table in now if now[table] != before[table])


def files() -> list[Path]:
    folder = Path(settings.MEDIA_ROOT)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def wrong_files() -> list[str]:
    """Files that are not in the place of their content, and rows without their file."""
    found = []
    for path in files():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if path != path_of(digest):
            found.append(f"{path} holds {digest}")
    return found + [f"no file for {blob.sha256}" for blob in Blob.objects.all() if not path_of(blob.sha256).is_file()]


def broken_chain() -> list[str]:
    return [f"{found.seq}: {found.reason}" for found in breaks()]


def unsound(at: datetime) -> list[str]:
    """Every invariant of `manage.py verify` that does not hold."""
    return [f"{result.code} {problem}" for result in verify(at=at) for problem in result.problems]
