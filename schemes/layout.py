"""A notice laid out as it was printed: merged cells, the doubts marked in their sentences, every reading in words.

Pure: a document in, plain values out. The page, the paper and the workbook all draw this one layout.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from deadlines.kinds import describe as describe_deadline
from schemes.document import Clause, DeadlineEntry, Document, Doubt, Responsibility, Row, RuleEntry, shown
from scoring.rules import describe as describe_rule
from scoring.rules import parse_rule

ROLE_WORDS = {
    "responsible": gettext_lazy("责任"),
    "collect": gettext_lazy("负责上报"),
    "provide": gettext_lazy("提供材料"),
    "implement": gettext_lazy("具体实施"),
}
DOUBT_WORDS = {
    "lost_characters": gettext_lazy("缺字"),
    "missing_amount": gettext_lazy("没有写明数额"),
    "missing_scope": gettext_lazy("没有写明范围"),
    "undefined_term": gettext_lazy("用语没有定义"),
    "tension": gettext_lazy("前后不一"),
    "ambiguous": gettext_lazy("可作两种理解"),
    "inherited_office": gettext_lazy("责任部门由合并单元格推定"),
    "missing_date": gettext_lazy("没有写明日期"),
}


@dataclass(frozen=True)
class Cell:
    """A printed cell of the 项目 columns that begins in this row."""

    text: str
    rows: int
    columns: int


@dataclass(frozen=True)
class Piece:
    """A stretch of a sentence; `doubts` are those that question it."""

    text: str
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True)
class DeadlineReading:
    quote: str
    sentence: str
    what: str
    due: str
    makes_tasks: bool
    doubt: str


@dataclass(frozen=True)
class RuleReading:
    code: str
    quote: str
    sentence: str
    doubt: str


@dataclass(frozen=True)
class Paragraph:
    """A clause (or the preamble, `clause` None) with everything that is read out of it."""

    anchor: str
    pieces: tuple[Piece, ...]
    line: int | None
    points: str
    points_from_parts: bool
    unscored: bool
    deadlines: tuple[DeadlineReading, ...]
    rules: tuple[RuleReading, ...]
    measures: tuple[str, ...]
    parts: tuple[str, ...]
    doubts: tuple[Doubt, ...]
    clause: Clause | None = None

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True)
class OfficeLine:
    """A responsibility as it is shown."""

    name: str
    members: tuple[str, ...]
    role: str
    role_word: str
    clauses: str
    inherited: bool

    @property
    def printed(self) -> str:
        """As the notice prints it: 各处提供材料, 综合处负责上报; an office that simply answers has its bare name."""
        return f"{self.name}{self.clauses}" + ("" if self.role == "responsible" else self.role_word)


@dataclass(frozen=True)
class Line:
    """A row of the breakdown."""

    row: Row
    anchor: str
    cells: tuple[Cell, ...]
    points: str
    preamble: Paragraph | None
    paragraphs: tuple[Paragraph, ...]
    offices: tuple[OfficeLine, ...]
    doubts: tuple[Doubt, ...]
    clause_sum: str
    closes: bool | None

    @property
    def office_names(self) -> str:
        """Every office behind the row, collective names spelled out: what a filter looks for."""
        return "|".join(dict.fromkeys(name for office in self.offices for name in (office.name, *office.members)))

    @property
    def marks(self) -> str:
        """What the row can be filtered by, joined by bars."""
        paragraphs = _all_paragraphs(self)
        marks = {
            "doubt": self.doubts or any(paragraph.doubts for paragraph in paragraphs),
            "due": any(reading.makes_tasks for paragraph in paragraphs for reading in paragraph.deadlines),
            "inherited": any(office.inherited for office in self.offices),
        }
        return "|".join(mark for mark, given in marks.items() if given)


@dataclass(frozen=True)
class Part:
    """A section with its rows and the check of its points."""

    no: str
    title: str
    anchor: str
    points: str
    total: str
    closes: bool
    reason: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class BonusLine:
    cells: tuple[Cell, ...]
    text: str
    rules: tuple[RuleReading, ...]
    offices: tuple[OfficeLine, ...]


@dataclass(frozen=True)
class Bonus:
    title: str
    cap: str
    window: str
    window_doubt: str
    lines: tuple[BonusLine, ...]
    offices: tuple[OfficeLine, ...]
    notes: tuple[str, ...]
    rules: tuple[RuleReading, ...]
    columns: int


@dataclass(frozen=True)
class DoubtLine:
    doubt: Doubt
    kind_word: str
    anchor: str
    # where the sentence stands on the page; empty for the notice as a whole
    target: str


@dataclass(frozen=True)
class Sheet:
    document: Document
    columns: int
    parts: tuple[Part, ...]
    points: str
    total: str
    closes: bool
    bonus: Bonus | None
    doubts: tuple[DoubtLine, ...]
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def lines(self) -> list[Line]:
        return [line for part in self.parts for line in part.lines]


def lay_out(document: Document) -> Sheet:
    places: dict[str, list[Doubt]] = defaultdict(list)
    for doubt in document.doubts:
        places[doubt.where or ""].append(doubt)
    columns = max((len(row.path) for row in document.rows), default=1)
    parts = tuple(_part(document, index, columns, places) for index in range(len(document.sections)))
    total = sum((section.points or Decimal(0) for section in document.sections), Decimal(0))
    lines = [line for part in parts for line in part.lines]
    paragraphs = [paragraph for line in lines for paragraph in _all_paragraphs(line)]
    targets = {doubt.id: paragraph.anchor for paragraph in paragraphs for doubt in paragraph.doubts}
    for line in lines:
        for doubt in line.doubts:
            targets.setdefault(doubt.id, line.anchor)
    return Sheet(
        document=document,
        columns=columns,
        parts=parts,
        points=_figure(document.points),
        total=_figure(total),
        closes=document.points is None or document.points == total,
        bonus=_bonus(document),
        doubts=tuple(
            DoubtLine(doubt, str(DOUBT_WORDS.get(doubt.kind, doubt.kind)), f"d-{doubt.id}", targets.get(doubt.id, ""))
            for doubt in document.doubts
        ),
        counts={
            "rows": len(lines),
            "clauses": sum(len(line.row.clauses) for line in lines),
            "rules": sum(len(paragraph.rules) for paragraph in paragraphs),
            "deadlines": sum(len(paragraph.deadlines) for paragraph in paragraphs),
            "task_deadlines": sum(reading.makes_tasks for paragraph in paragraphs for reading in paragraph.deadlines),
            "doubts": len(document.doubts),
            "inherited": sum(office.inherited for line in lines for office in line.offices),
        },
    )


def _all_paragraphs(line: Line) -> tuple[Paragraph, ...]:
    return (*((line.preamble,) if line.preamble else ()), *line.paragraphs)


def _figure(points: Decimal | None) -> str:
    return shown(points) or ""


def merged(paths: Sequence[Sequence[str]], *, columns: int) -> list[tuple[Cell, ...]]:
    """For each row the cells that begin in it: what neighbouring rows repeat is one cell, the last one fills up."""

    def keys(path: Sequence[str]) -> list[tuple[tuple[str, ...], int]]:
        # a label that ends its path spans the remaining columns, and so is another cell than one that goes on
        return [
            (tuple(path[: depth + 1]), columns - depth if depth == len(path) - 1 else 1) for depth in range(len(path))
        ]

    all_keys = [keys(path) for path in paths]
    rows: list[tuple[Cell, ...]] = []
    for index, mine in enumerate(all_keys):
        above = all_keys[index - 1] if index else []
        cells = []
        for depth, key in enumerate(mine):
            if depth < len(above) and above[depth] == key:
                continue
            span = 1
            while index + span < len(all_keys) and all_keys[index + span][depth : depth + 1] == [key]:
                span += 1
            cells.append(Cell(key[0][-1], span, key[1]))
        rows.append(tuple(cells))
    return rows


# --- sections and rows ------------------------------------------------------------------------------------------------


def _part(document: Document, index: int, columns: int, places: Mapping[str, list[Doubt]]) -> Part:
    section = document.sections[index]
    cells = merged([row.path for row in section.rows], columns=columns)
    total = sum((row.points or Decimal(0) for row in section.rows), Decimal(0))
    declared = {item["where"]: item.get("reason", "") for item in document.differences}
    return Part(
        no=section.no,
        title=section.title,
        anchor=f"s-{index + 1}",
        points=_figure(section.points),
        total=_figure(total),
        closes=section.points is None or section.points == total,
        reason=declared.get(f"section {section.no}", ""),
        lines=tuple(_line(document, row, begins, places) for row, begins in zip(section.rows, cells, strict=True)),
    )


def _line(document: Document, row: Row, cells: tuple[Cell, ...], places: Mapping[str, list[Doubt]]) -> Line:
    left = list(places.get(row.code, ()))  # of the row as a whole: each goes to the sentence that has its quote
    year = document.year

    def paragraph(clause: Clause | None, text: str, *, doubts: list[Doubt], order: int, **fields: Any) -> Paragraph:
        doubts = doubts + [doubt for doubt in left if doubt.quote and doubt.quote in text]
        left[:] = [doubt for doubt in left if doubt not in doubts]
        return Paragraph(
            anchor=f"r-{row.code}-{order}",
            pieces=_pieces(text, doubts),
            doubts=tuple(doubts),
            clause=clause,
            **fields,
        )

    preamble = None
    if row.preamble or row.rules or row.deadlines:
        preamble = paragraph(
            None,
            row.preamble or "",
            doubts=[],
            order=0,
            line=row.preamble_line,
            points="",
            points_from_parts=False,
            unscored=False,
            deadlines=_deadlines(row.deadlines, year),
            rules=_rules(row.rules),
            measures=(),
            parts=(),
        )
    paragraphs = tuple(
        paragraph(
            clause,
            clause.text,
            doubts=list(places.get(f"{row.code}/{clause.no}", ())) if clause.no is not None else [],
            order=order,
            line=clause.line,
            points=_figure(clause.points),
            points_from_parts=clause.points_from_parts,
            unscored=clause.unscored,
            deadlines=_deadlines(clause.deadlines, year),
            rules=_rules(clause.rules),
            measures=tuple(_measure(measure) for measure in clause.measures),
            parts=tuple(f"“{part['quote']}” {part['points']}" for part in clause.parts),
        )
        for order, clause in enumerate(row.clauses, start=1)
    )
    sums = sum((clause.points for clause in row.scored if clause.points is not None), Decimal(0))
    return Line(
        row=row,
        anchor=f"r-{row.code}",
        cells=cells,
        points=_figure(row.points),
        preamble=preamble,
        paragraphs=paragraphs,
        offices=tuple(_office(document, office) for office in row.offices),
        doubts=tuple(left),
        clause_sum=_figure(sums) if row.has_all_figures else "",
        closes=(row.points == sums) if row.has_all_figures and row.points is not None else None,
    )


def _office(document: Document, office: Responsibility) -> OfficeLine:
    clauses = ""
    if office.clauses is not None:
        clauses = _("(第{numbers}条)").format(numbers=_("、").join(map(str, office.clauses)))
    return OfficeLine(
        name=office.name,
        members=document.members.get(office.name, ()),
        role=office.role,
        role_word=str(ROLE_WORDS[office.role]),
        clauses=clauses,
        inherited=office.inherited,
    )


def _pieces(text: str, doubts: Iterable[Doubt]) -> tuple[Piece, ...]:
    """The text cut at the quotes of the doubts. Quotes that overlap are marked as one stretch."""
    marks: list[tuple[int, int, Doubt]] = []
    for doubt in doubts:
        start = text.find(doubt.quote) if doubt.quote else -1
        if start >= 0:
            marks.append((start, start + len(doubt.quote), doubt))
    stretches: list[tuple[int, int, list[Doubt]]] = []
    for start, end, doubt in sorted(marks, key=lambda mark: mark[:2]):
        if stretches and start < stretches[-1][1]:
            last = stretches[-1]
            stretches[-1] = (last[0], max(last[1], end), [*last[2], doubt])
        else:
            stretches.append((start, end, [doubt]))
    pieces, position = [], 0
    for start, end, found in stretches:
        if start > position:
            pieces.append(Piece(text[position:start]))
        pieces.append(Piece(text[start:end], tuple(found)))
        position = end
    if position < len(text):
        pieces.append(Piece(text[position:]))
    return tuple(pieces)


def _deadlines(entries: Iterable[DeadlineEntry], year: int) -> tuple[DeadlineReading, ...]:
    return tuple(
        DeadlineReading(
            quote=entry.quote,
            sentence=describe_deadline(entry.parsed),
            what=entry.what or "",
            due=due.isoformat() if (due := entry.due(year)) else "",
            makes_tasks=entry.makes_tasks,
            doubt=entry.data.get("doubt") or "",
        )
        for entry in entries
    )


def _rules(entries: Iterable[RuleEntry]) -> tuple[RuleReading, ...]:
    return tuple(_rule(entry.data) for entry in entries)


def _rule(data: Mapping[str, Any]) -> RuleReading:
    return RuleReading(
        code=data["id"], quote=data["quote"], sentence=describe_rule(parse_rule(data)), doubt=data.get("doubt") or ""
    )


def _measure(measure: Mapping[str, Any]) -> str:
    target = measure.get("target")
    if target is None:
        return str(measure["name"])
    sign = "≥" if measure.get("at_least", True) else "≤"
    return f"{measure['name']} {sign} {target}{measure.get('unit') or ''}"


# --- bonus ------------------------------------------------------------------------------------------------------------


def _bonus(document: Document) -> Bonus | None:
    data = document.bonus
    if not data:
        return None
    columns = max((len(row["path"]) for row in data["rows"]), default=1)
    cells = merged([row["path"] for row in data["rows"]], columns=columns)
    window = data.get("window")
    return Bonus(
        title=data.get("title") or _("加分"),
        cap=str(data["cap"]),
        window=f"{document.year}-{window['from']} – {document.year}-{window['to']}" if window else "",
        window_doubt=(window or {}).get("doubt") or "",
        lines=tuple(
            BonusLine(
                cells=begins,
                text=row["text"],
                rules=tuple(_rule(rule) for rule in row.get("rules") or []),
                offices=_bonus_offices(document, row.get("offices")),
            )
            for row, begins in zip(data["rows"], cells, strict=True)
        ),
        offices=_bonus_offices(document, data.get("offices")),
        notes=tuple(note["text"] for note in data.get("notes") or []),
        rules=tuple(_rule(rule) for rule in data.get("rules") or []),
        columns=columns,
    )


def _bonus_offices(document: Document, offices: Sequence[Mapping[str, Any]] | None) -> tuple[OfficeLine, ...]:
    return tuple(
        _office(
            document,
            Responsibility(
                name=office["name"],
                role=office["role"],
                clauses=tuple(office["clauses"]) if office.get("clauses") else None,
                inherited=bool(office.get("inherited")),
            ),
        )
        for office in offices or []
    )


# --- the matrix -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MatrixCell:
    """What an office is to a row: its roles, most weighty first."""

    role: str
    word: str
    note: str
    inherited: bool


@dataclass(frozen=True)
class MatrixLine:
    line: Line
    cells: tuple[MatrixCell | None, ...]


def matrix(sheet: Sheet) -> tuple[tuple[str, ...], list[tuple[Part, list[MatrixLine]]]]:
    """Offices across, rows down. A collective name is spelled out to its offices."""
    offices = sheet.document.offices
    weight = list(ROLE_WORDS)

    def cells(line: Line) -> tuple[MatrixCell | None, ...]:
        found: dict[str, OfficeLine] = {}
        for office in sorted(line.offices, key=lambda entry: weight.index(entry.role)):
            for name in office.members or (office.name,):
                found.setdefault(name, office)
        return tuple(
            MatrixCell(office.role, office.role_word, office.clauses, office.inherited)
            if (office := found.get(name))
            else None
            for name in offices
        )

    return offices, [(part, [MatrixLine(line, cells(line)) for line in part.lines]) for part in sheet.parts]
