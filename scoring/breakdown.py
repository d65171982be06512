"""The explained result: what was earned, of how much, and every step that led there. Stored as JSON of strings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from scoring.points import format_points, read_exact

#: Raised with every change that can alter a result; stored beside each score.
ENGINE_VERSION = "1"

State = Literal["scored", "unresolved", "judged_missing"]
Level = Literal["clause", "row", "section", "bonus", "scheme"]


class BreakdownError(ValueError):
    """Stored data which is not a breakdown this engine can read."""


@dataclass(frozen=True, slots=True)
class Line:
    """One step. `amount` signed points (分), `running` the points after it; None where it cannot be computed.

    `bit` names the limit that changed the amount: "floor" (扣完为止) or "cap" (最高). `kind` is a rule kind, or
    start, judged, clause, row, section, bonus, total for steps which are not a rule's.
    """

    label: str
    kind: str
    rule_id: str | None = None
    fact_ids: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    amount: Decimal | None = None
    running: Decimal | None = None
    note: str = ""
    bit: Literal["floor", "cap"] | None = None
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Flag:
    """A mark beside the score: veto (the score is kept), zero_row, zero_section. `effect` None = not stated."""

    kind: str
    rule_id: str
    fact_ids: tuple[str, ...] = ()
    effect: str | None = None
    quote: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The result of a clause, row, section, bonus or scheme.

    `earned` is None when nothing can be said yet: missing is not zero. A row or total with missing children has the
    sum of what is there in `earned`, state "unresolved", and the list of what is missing in `unresolved`.
    A clause without a figure inside a row has `max_points` None and `earned` None: the row scores for it.
    """

    earned: Decimal | None
    max_points: Decimal | None
    state: State
    lines: tuple[Line, ...] = ()
    flags: tuple[Flag, ...] = ()
    unresolved: tuple[str, ...] = ()
    key: str = ""
    title: str = ""
    level: Level = "clause"
    children: tuple[Breakdown, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Plain data for storage: strings, lists and None only, numbers as exact strings."""
        return {
            "engine": ENGINE_VERSION,
            "level": self.level,
            "key": self.key,
            "title": self.title,
            "earned": _written(self.earned),
            "max_points": _written(self.max_points),
            "state": self.state,
            "lines": [_line_to_json(line) for line in self.lines],
            "flags": [_flag_to_json(flag) for flag in self.flags],
            "unresolved": list(self.unresolved),
            "children": [child.to_json() for child in self.children],
        }

    @classmethod
    def from_json(cls, data: Mapping) -> Breakdown:
        """The inverse of `to_json`; BreakdownError for data of another engine version or shape."""
        if not isinstance(data, Mapping) or data.get("engine") != ENGINE_VERSION:
            raise BreakdownError(f"不是本计分引擎(版本{ENGINE_VERSION})的计分明细")
        try:
            return cls(
                earned=_read(data["earned"]),
                max_points=_read(data["max_points"]),
                state=data["state"],
                lines=tuple(_line_from_json(line) for line in data["lines"]),
                flags=tuple(_flag_from_json(flag) for flag in data["flags"]),
                unresolved=tuple(data["unresolved"]),
                key=data["key"],
                title=data["title"],
                level=data["level"],
                children=tuple(cls.from_json(child) for child in data["children"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BreakdownError(f"计分明细不完整:{error}") from error


#: A row's result is a breakdown with its clauses as children.
RowBreakdown = Breakdown


def _written(value: Decimal | None) -> str | None:
    return None if value is None else format_points(value)


def _read(text: str | None) -> Decimal | None:
    return None if text is None else read_exact(text)


def _line_to_json(line: Line) -> dict[str, object]:
    return {
        "label": line.label,
        "kind": line.kind,
        "rule_id": line.rule_id,
        "fact_ids": list(line.fact_ids),
        "inputs": dict(line.inputs),
        "amount": _written(line.amount),
        "running": _written(line.running),
        "note": line.note,
        "bit": line.bit,
        "quote": line.quote,
    }


def _line_from_json(data: Mapping) -> Line:
    return Line(
        label=data["label"],
        kind=data["kind"],
        rule_id=data["rule_id"],
        fact_ids=tuple(data["fact_ids"]),
        inputs=dict(data["inputs"]),
        amount=_read(data["amount"]),
        running=_read(data["running"]),
        note=data["note"],
        bit=data["bit"],
        quote=data["quote"],
    )


def _flag_to_json(flag: Flag) -> dict[str, object]:
    return {
        "kind": flag.kind,
        "rule_id": flag.rule_id,
        "fact_ids": list(flag.fact_ids),
        "effect": flag.effect,
        "quote": flag.quote,
        "where": flag.where,
    }


def _flag_from_json(data: Mapping) -> Flag:
    return Flag(
        kind=data["kind"],
        rule_id=data["rule_id"],
        fact_ids=tuple(data["fact_ids"]),
        effect=data["effect"],
        quote=data["quote"],
        where=data["where"],
    )
