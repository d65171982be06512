"""A notice in memory: what a checked scheme file says, and what the rows of the database are rebuilt to.

Frozen, with no database. Points are exact Decimals in 分. Rules, deadlines, parts, measures and the bonus stay the
mappings that were typed (docs/scheme-format.md); `scoring.rules` and `deadlines.kinds` read them.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from deadlines.kinds import KINDS as DEADLINE_KINDS
from deadlines.kinds import Deadline, parse_deadline
from deadlines.recurrence import occurrences
from scoring.points import format_points

LEADING = ("responsible", "collect", "implement")  # the roles that answer for points; provide only hands material over
ROLES = (*LEADING, "provide")


def shown(points: Decimal | None) -> str | None:
    """Points as text without trailing zeros: "18", "2.5", "0.2"."""
    return None if points is None else format_points(points)


@dataclass(frozen=True)
class DeadlineEntry:
    """A time expression. `data` holds kind, quote and the fields of the kind."""

    data: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return self.data["kind"]

    @property
    def quote(self) -> str:
        return self.data["quote"]

    @property
    def what(self) -> str | None:
        return self.data.get("what")

    @cached_property
    def parsed(self) -> Deadline:
        return parse_deadline(self.data)

    @property
    def makes_tasks(self) -> bool:
        return DEADLINE_KINDS[self.kind].makes_tasks

    def due(self, year: int) -> date | None:
        """The date, where the text itself fixes one (9月底, 年底前); None for what recurs or is relative."""
        if not DEADLINE_KINDS[self.kind].fixed:
            return None
        return occurrences(self.parsed, year=year)[0].due


@dataclass(frozen=True)
class RuleEntry:
    """A scoring rule. `data` holds id, quote, kind and the fields of the kind."""

    data: Mapping[str, Any]

    @property
    def id(self) -> str:
        return self.data["id"]

    @property
    def kind(self) -> str:
        return self.data["kind"]

    @property
    def quote(self) -> str:
        return self.data["quote"]


@dataclass(frozen=True)
class Clause:
    no: int | None
    line: int
    text: str
    points: Decimal | None = None
    parts: tuple[Mapping[str, str], ...] = ()
    measures: tuple[Mapping[str, Any], ...] = ()
    unscored: bool = False
    deadlines: tuple[DeadlineEntry, ...] = ()
    rules: tuple[RuleEntry, ...] = ()

    @property
    def points_from_parts(self) -> bool:
        """Whether only inner figures are printed, so that the clause's figure is their sum (L252, L284, L344, L732)."""
        if self.points is None or not self.parts:
            return False
        rest = self.text
        for part in self.parts:
            rest = rest.replace(part["quote"], "")
        return self.points not in {Decimal(figure) for figure in re.findall(r"\d+(?:\.\d+)?", rest)}


@dataclass(frozen=True)
class Responsibility:
    """`name` is an office or a collective name (各处). `clauses` None: the whole row."""

    name: str
    role: str
    clauses: tuple[int, ...] | None = None
    inherited: bool = False
    line: int | None = None

    def covers(self, clause: Clause) -> bool:
        # A paragraph without a number belongs to whoever answers for anything in the row.
        return self.clauses is None or clause.no is None or clause.no in self.clauses


@dataclass(frozen=True)
class Row:
    """Whatever has a points cell of its own. `code` is 1.03: section, dot, two-digit order in the section."""

    code: str
    path: tuple[str, ...]
    line: int
    points: Decimal | None
    points_line: int | None = None
    preamble: str | None = None
    preamble_line: int | None = None
    rules: tuple[RuleEntry, ...] = ()
    deadlines: tuple[DeadlineEntry, ...] = ()
    offices: tuple[Responsibility, ...] = ()
    clauses: tuple[Clause, ...] = ()

    @property
    def title(self) -> str:
        return " · ".join(self.path)

    @property
    def scored(self) -> tuple[Clause, ...]:
        """The clauses that a figure is expected of: the numbered ones, or the paragraphs of a row without numbers."""
        scored = tuple(clause for clause in self.clauses if not clause.unscored)
        return tuple(clause for clause in scored if clause.no is not None or clause.points is not None) or scored

    @property
    def has_all_figures(self) -> bool:
        return bool(self.scored) and all(clause.points is not None for clause in self.scored)


@dataclass(frozen=True)
class Section:
    no: str
    title: str
    points: Decimal | None
    line: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Group:
    """A collective name of the notice, such as 各处, and the offices it is read as."""

    name: str
    members: tuple[str, ...]
    doubt: str | None = None


@dataclass(frozen=True)
class Doubt:
    """What the text leaves open, and the reading chosen. `where`: row 2.29, clause 2.29/1, or None."""

    id: str
    kind: str
    question: str
    reading: str
    line: int | None = None
    quote: str = ""
    where: str | None = None


@dataclass(frozen=True)
class Document:
    """One year's notice."""

    key: str
    title: str
    year: int
    issuer: str
    issued_on: date | None
    source_file: str
    source_sha256: str
    points: Decimal | None
    differences: tuple[Mapping[str, str], ...]
    reporting_cycle: Mapping[str, Any]
    groups: tuple[Group, ...]
    settings: Mapping[str, Any]
    sections: tuple[Section, ...]
    bonus: Mapping[str, Any] | None
    doubts: tuple[Doubt, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for section in self.sections for row in section.rows)

    @cached_property
    def members(self) -> dict[str, tuple[str, ...]]:
        """Collective name → offices."""
        return {group.name: group.members for group in self.groups}

    def expand(self, name: str) -> tuple[str, ...]:
        """The offices a name of the notice stands for."""
        return self.members.get(name, (name,))

    @cached_property
    def offices(self) -> tuple[str, ...]:
        """Every office that bears responsibility, in the order of its first appearance."""
        names = [office.get("name", "") for office in bonus_offices(self.bonus)]
        names = [responsibility.name for row in self.rows for responsibility in row.offices] + names
        return tuple(dict.fromkeys(office for name in names if name for office in self.expand(name)))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content: equal for equal notices, however they were typed or stored."""
        text = json.dumps(document_export(self), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def cycle(self) -> Deadline:
        """The declared reporting cycle of what has no date of its own."""
        return parse_deadline(self.reporting_cycle)


def bonus_offices(bonus: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The responsibilities printed in the bonus section, those of all its rows first."""
    if not bonus:
        return []
    return [*bonus["offices"], *(office for row in bonus["rows"] for office in row["offices"])]


def bonus_window(bonus: Mapping[str, Any] | None, *, year: int) -> list[str] | None:
    """First and last day of the bonus window in a year, as ISO dates."""
    window = bonus and bonus["window"]
    return [f"{year:04}-{window['from']}", f"{year:04}-{window['to']}"] if window else None


# --- the export -------------------------------------------------------------------------------------------------------


def _ordered(data: Mapping[str, Any], *first: str) -> dict[str, Any]:
    """The same keys in a stable order, whatever order a database keeps them in."""
    return {key: _stable(data[key]) for key in (*first, *sorted(set(data) - set(first))) if key in data}


def _stable(value: Any) -> Any:
    if isinstance(value, list):
        return [_stable(item) for item in value]
    return _ordered(value) if isinstance(value, Mapping) else value


def _deadline(entry: DeadlineEntry, year: int) -> dict[str, Any]:
    due = entry.due(year)
    data = _ordered(entry.data, "quote", "kind")
    return {"quote": data.pop("quote"), "kind": data.pop("kind"), "due": due and due.isoformat(), **data}


def _rule(data: Mapping[str, Any]) -> dict[str, Any]:
    return _ordered(data, "id", "quote", "kind")


def _clause(clause: Clause, year: int) -> dict[str, Any]:
    return {
        "no": clause.no,
        "line": clause.line,
        "text": clause.text,
        "points": shown(clause.points),
        "points_from": "parts" if clause.points_from_parts else None,
        "parts": [_ordered(part, "quote", "points") for part in clause.parts],
        "measures": [_ordered(measure, "name") for measure in clause.measures],
        "unscored": clause.unscored,
        "deadlines": [_deadline(entry, year) for entry in clause.deadlines],
        "rules": [_rule(entry.data) for entry in clause.rules],
    }


def _row(row: Row, year: int) -> dict[str, Any]:
    return {
        "id": row.code,
        "path": list(row.path),
        "line": row.line,
        "points": shown(row.points),
        "points_line": row.points_line,
        "preamble": row.preamble,
        "preamble_line": row.preamble_line,
        "rules": [_rule(entry.data) for entry in row.rules],
        "deadlines": [_deadline(entry, year) for entry in row.deadlines],
        "offices": [
            {
                "name": office.name,
                "role": office.role,
                "clauses": None if office.clauses is None else list(office.clauses),
                "inherited": office.inherited,
                "line": office.line,
            }
            for office in row.offices
        ],
        "clauses": [_clause(clause, year) for clause in row.clauses],
    }


def _bonus(bonus: Mapping[str, Any] | None, year: int) -> dict[str, Any] | None:
    if bonus is None:
        return None
    return {
        "title": bonus.get("title"),
        "line": bonus.get("line"),
        "cap": bonus["cap"],
        "window": bonus_window(bonus, year=year),
        "window_source": _ordered(bonus["window"]) if bonus["window"] else None,
        "offices": [_ordered(office, "name", "role") for office in bonus["offices"]],
        "notes": [_ordered(note, "line", "text") for note in bonus["notes"]],
        "rules": [_rule(rule) for rule in bonus["rules"]],
        "rows": [
            {
                "path": list(row["path"]),
                "line": row.get("line"),
                "text": row["text"],
                "rules": [_rule(rule) for rule in row["rules"]],
                "offices": [_ordered(office, "name", "role") for office in row["offices"]],
            }
            for row in bonus["rows"]
        ],
    }


def document_export(document: Document) -> dict[str, Any]:
    """The notice as the plain data that `export_scheme --json` prints."""
    year = document.year
    return {
        "key": document.key,
        "title": document.title,
        "year": year,
        "issuer": document.issuer,
        "issued_on": document.issued_on and document.issued_on.isoformat(),
        "source": {"file": document.source_file, "sha256": document.source_sha256},
        "points": shown(document.points),
        "differences": [_ordered(item, "where", "stated", "sum", "reason") for item in document.differences],
        "reporting_cycle": _ordered(document.reporting_cycle, "kind"),
        "offices": list(document.offices),
        "groups": [
            {"name": group.name, "members": list(group.members), "doubt": group.doubt} for group in document.groups
        ],
        "settings": _ordered(document.settings),
        "sections": [
            {
                "no": section.no,
                "title": section.title,
                "points": shown(section.points),
                "line": section.line,
                "rows": [_row(row, year) for row in section.rows],
            }
            for section in document.sections
        ],
        "bonus": _bonus(document.bonus, year),
        "doubts": [dataclasses.asdict(doubt) for doubt in document.doubts],
    }
