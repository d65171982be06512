"""Many rows in one statement: an array per column on PostgreSQL, one JSON document on SQLite.

bulk_create builds an object, a parameter and a placeholder for every value and is several times slower; with
ignore_conflicts it cannot say which rows were new (docs/performance.md).
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection, models


def insert_missing(
    model: type[models.Model], *, columns: Sequence[str], rows: Iterable[Sequence], returning: Sequence[str] = ()
) -> list[tuple]:
    """Insert the rows that violate no unique constraint, in their order, in the caller's transaction.

    `columns` and `returning` are names of fields (`task_id` for a foreign key). Returns the `returning` values of the
    rows that were really inserted. Every column without a database default has to be named.
    """
    rows = list(rows)
    if not rows:
        return []
    fields = [model._meta.get_field(name) for name in columns]
    quote = connection.ops.quote_name
    names = ", ".join(quote(field.column) for field in fields)
    if connection.vendor == "postgresql":
        source = ", ".join(f"%s::{_array_type(field)}" for field in fields)
        select = f"SELECT * FROM unnest({source})"
        params = [[row[i] for row in rows] for i in range(len(fields))]
    else:
        # "true": without a WHERE SQLite takes ON CONFLICT for a join condition
        picked = ", ".join(f"json_extract(value, '$[{i}]')" for i in range(len(fields)))
        select = f"SELECT {picked} FROM json_each(%s) WHERE true"  # noqa: S608  (positions only)
        params = [json.dumps(rows, ensure_ascii=False, default=_plain)]
    sql = f"INSERT INTO {quote(model._meta.db_table)} ({names}) {select} ON CONFLICT DO NOTHING"
    if returning:
        sql += " RETURNING " + ", ".join(quote(model._meta.get_field(name).column) for name in returning)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if returning else []


def _array_type(field: models.Field) -> str:
    kind = field.rel_db_type(connection) if not field.is_relation else field.target_field.rel_db_type(connection)
    # an explicit cast to varchar(n) would cut silently; text is refused if too long
    return ("text" if kind.startswith("varchar") else kind) + "[]"


def _plain(value):
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    raise TypeError(f"{value!r} is no value for a column of bulk rows")
