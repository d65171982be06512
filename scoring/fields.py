"""Field types of a rule: how each value of a scheme file is read, refused (in Chinese) and written back."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from decimal import Decimal
from functools import cache
from typing import get_type_hints

from scoring.points import PointsError, format_points, parse_points

Problems = list[tuple[str, str]]


@dataclass(frozen=True)
class FieldType:
    """`read(value, path, problems)` returns the typed value or appends to problems; `write` is its inverse."""

    read: Callable[[object, str, Problems], object]
    write: Callable[[object], object]


def join(path: str, name: str) -> str:
    """A dotted path, without a leading dot at the top."""
    return f"{path}.{name}" if path else name


@cache
def fields_of(record: type) -> dict[str, tuple[FieldType, object]]:
    """The fields of a dataclass as {name: (type, default)}; the type is the FieldType in `Annotated[…, FieldType]`."""
    hints = get_type_hints(record, include_extras=True)
    return {item.name: (hints[item.name].__metadata__[0], item.default) for item in fields(record)}


def _shown(value: object) -> str:
    return f"“{value}”" if isinstance(value, str) else repr(value)


def _read_text(value: object, path: str, problems: Problems) -> str | None:
    if isinstance(value, str) and value.strip():
        return value
    problems.append((path, f"{_shown(value)}不是文字:请写成非空文字"))
    return None


def _decimal_reader(minimum_excluded: bool) -> Callable[[object, str, Problems], Decimal | None]:
    def read(value: object, path: str, problems: Problems) -> Decimal | None:
        if not isinstance(value, str):
            problems.append((path, f'{_shown(value)}须写成带引号的小数文字,例如 "0.5"'))
            return None
        try:
            number = parse_points(value)
        except PointsError as error:
            problems.append((path, str(error)))
            return None
        if minimum_excluded and not number:
            problems.append((path, "须大于0"))
            return None
        return number

    return read


def _integer_reader(low: int, high: int) -> Callable[[object, str, Problems], int | None]:
    def read(value: object, path: str, problems: Problems) -> int | None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            problems.append((path, f"{_shown(value)}须是{low}到{high}之间的整数(不加引号)"))
            return None
        return value

    return read


def _read_flag(value: object, path: str, problems: Problems) -> bool | None:
    if isinstance(value, bool):
        return value
    problems.append((path, f"{_shown(value)}须是 true 或 false"))
    return None


def _read_texts(value: object, path: str, problems: Problems) -> tuple[str, ...] | None:
    if not isinstance(value, list | tuple) or not value:
        problems.append((path, f"{_shown(value)}须是至少一项的列表"))
        return None
    texts = tuple(_read_text(item, f"{path}[{index}]", problems) for index, item in enumerate(value))
    if len(set(texts)) != len(texts):
        problems.append((path, "列表中有重复项"))
    return texts


def choice(*allowed: str) -> FieldType:
    """One of the given words."""

    def read(value: object, path: str, problems: Problems) -> str | None:
        if isinstance(value, str) and value in allowed:
            return value
        problems.append((path, f"{_shown(value)}不可用,可用:{'、'.join(allowed)}"))
        return None

    return FieldType(read, lambda value: value)


def read_record(record: type, data: object, path: str, problems: Problems) -> object | None:
    """Read one mapping into a dataclass whose fields carry a FieldType; collects every problem."""
    if not isinstance(data, Mapping):
        problems.append((path, f"{_shown(data)}须是键值对"))
        return None
    before = len(problems)
    known = fields_of(record)
    values = {}
    for name in data:
        if name not in known:
            problems.append((join(path, str(name)), f"没有“{name}”这一项,可用:{'、'.join(known)}"))
    for name, (kind, default) in known.items():
        if data.get(name) is None:
            if default is MISSING:
                problems.append((join(path, name), "缺少此项"))
            continue
        values[name] = kind.read(data[name], join(path, name), problems)
    return record(**values) if len(problems) == before else None


def write_record(record: object) -> dict[str, object]:
    """The inverse of `read_record`: only fields that differ from their default, decimals as plain strings."""
    data = {}
    for name, (kind, default) in fields_of(type(record)).items():
        value = getattr(record, name)
        if default is MISSING or value != default:
            data[name] = kind.write(value)
    return data


def record_of(record: type) -> FieldType:
    """One nested mapping."""
    return FieldType(lambda value, path, problems: read_record(record, value, path, problems), write_record)


def records_of(record: type, *, shorthand: str | None = None) -> FieldType:
    """A non-empty list of nested mappings; a bare text stands for `{shorthand: text}` where allowed."""

    def read(value: object, path: str, problems: Problems) -> tuple[object, ...] | None:
        if not isinstance(value, list | tuple) or not value:
            problems.append((path, f"{_shown(value)}须是至少一项的列表"))
            return None
        found = []
        for index, item in enumerate(value):
            if shorthand and isinstance(item, str):
                item = {shorthand: item}
            found.append(read_record(record, item, f"{path}[{index}]", problems))
        return tuple(found)

    def write(value: tuple[object, ...]) -> list[object]:
        items = [write_record(item) for item in value]
        return [item[shorthand] if shorthand and set(item) == {shorthand} else item for item in items]

    return FieldType(read, write)


def _same(value: object) -> object:
    return value


TEXT = FieldType(_read_text, _same)
TEXTS = FieldType(_read_texts, list)
FLAG = FieldType(_read_flag, _same)
DECIMAL = FieldType(_decimal_reader(False), format_points)
POSITIVE = FieldType(_decimal_reader(True), format_points)
COUNT = FieldType(_integer_reader(1, 9999), _same)
LINE = FieldType(_integer_reader(1, 999999), _same)
PLACES = FieldType(_integer_reader(0, 6), _same)
