"""Many rows in one statement: handed over as one JSON document, or (numbers, on PostgreSQL) an array per column.

bulk_create builds an object, a parameter and a placeholder for every value and is several times slower; with
ignore_conflicts it cannot say which rows were new (docs/performance.md).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, models

INTEGERS = ("bigint", "integer")


def insert_missing(
    model: type[models.Model],
    *,
    columns: Sequence[str],
    rows: Iterable[Sequence],
    constants: Mapping[str, Any] | None = None,
    returning: Sequence[str] = (),
) -> list[tuple]:
    """Insert the rows that violate no unique constraint, in their order, in the caller's transaction.

    `columns`, `constants` (alike in all rows) and `returning` are names of fields (`task_id` for a foreign key).
    Returns the `returning` values of the rows that were really inserted. Every column without a database default has
    to be named.
    """
    rows = list(rows)
    if not rows:
        return []
    constants = constants or {}
    fields = [model._meta.get_field(name) for name in columns]
    same = [model._meta.get_field(name) for name in constants]
    quote = connection.ops.quote_name
    if connection.vendor == "postgresql" and all(_type(field) in INTEGERS for field in fields):
        picked = [f"c{i}" for i in range(len(fields))]
        arrays = ", ".join(f"%s::{_type(field)}[]" for field in fields)
        source = f"unnest({arrays}) AS u({', '.join(picked)})"
        params = [_array([row[i] for row in rows]) for i in range(len(fields))]
    elif connection.vendor == "postgresql":
        picked = [f"(value->>{i})::{_type(field)}" for i, field in enumerate(fields)]
        source = "jsonb_array_elements(%s::jsonb)"
        params = [json.dumps(rows, ensure_ascii=False, default=_plain)]
    else:
        picked = [f"json_extract(value, '$[{i}]')" for i in range(len(fields))]
        # "true": without a WHERE SQLite takes ON CONFLICT for a join condition
        source = "json_each(%s) WHERE true"
        params = [json.dumps(rows, ensure_ascii=False, default=_plain)]
    picked += [f"%s::{_type(field)}" if connection.vendor == "postgresql" else "%s" for field in same]
    names = ", ".join(quote(field.column) for field in [*fields, *same])
    # names of fields, types and positions only: every value is a parameter
    sql = f"INSERT INTO {quote(model._meta.db_table)} ({names}) SELECT {', '.join(picked)} FROM {source} "  # noqa: S608
    sql += "ON CONFLICT DO NOTHING"
    if returning:
        sql += " RETURNING " + ", ".join(quote(model._meta.get_field(name).column) for name in returning)
    values = [
        connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
        for value in constants.values()
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, *params])
        return cursor.fetchall() if returning else []


def _type(field: models.Field) -> str:
    kind = field.target_field.rel_db_type(connection) if field.is_relation else field.rel_db_type(connection)
    # an explicit cast to varchar(n) would cut silently; text is refused if too long
    return "text" if kind.startswith("varchar") else kind


def _array(values: list[int | None]) -> str:
    """As PostgreSQL writes arrays: psycopg would look at the size of each number."""
    return "{" + ",".join("NULL" if value is None else str(int(value)) for value in values) + "}"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return str(connection.ops.adapt_datetimefield_value(value))
    raise TypeError(f"{value!r} is no value for a column of bulk rows")
