"""Which tasks a notice makes in a year. Pure: from the document alone, without the database and without a clock.

One task per office, clause (or row) and due date. A clause with dates of its own has its own tasks; what is left of a
row is reported together, once per period of the scheme's declared cycle, and is marked so. Each office that provides
material has a task of its own, linked to the task of the office that collects it. The bonus section makes no tasks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from deadlines.recurrence import Occurrence, occurrences
from schemes.document import Clause, DeadlineEntry, Document, Responsibility, Row

TITLE_LENGTH = 60


@dataclass(frozen=True)
class PlannedTask:
    """A task before it exists.

    `office` is the office's name, `row` the row's code. `clause_position` and `deadline_position` are the positions in
    the row and clause (None: the row; the declared cycle), `clause` the printed number. `points` in 分 at stake, None
    where the text gives none. `collector`: the office whose task takes in what this one provides.
    """

    office: str
    role: str
    row: str
    clause_position: int | None
    clause: int | None
    deadline_position: int | None
    period: str
    starts: date
    ends: date
    due: date
    title: str
    quote: str
    points: Decimal | None
    by_cycle: bool = False
    fixed: bool = False
    collector: str | None = None

    @property
    def place(self) -> tuple[str, int | None, int | None, str]:
        """What the providing and the collecting task have in common."""
        return self.row, self.clause_position, self.deadline_position, self.period


@dataclass(frozen=True)
class _Matter:
    """Something that is due: a clause with a deadline of its own, or what is left of a row."""

    clause_position: int | None
    clause: Clause | None
    deadline_position: int | None
    occurrences: tuple[Occurrence, ...]
    title: str
    quote: str
    by_cycle: bool = False
    fixed: bool = False


def plan(document: Document, *, year: int | None = None) -> list[PlannedTask]:
    """Every task of a year (default: the document's own), in the order of the notice, each office by date."""
    year = document.year if year is None else year
    return [task for row in document.rows for task in _of_row(row, document, year)]


def _of_row(row: Row, document: Document, year: int) -> Iterator[PlannedTask]:
    holders = _holders(row, document)
    # the members of a collective name answer for the same: worked out once
    shared: dict[tuple[int, ...] | None, list[tuple[_Matter, Decimal | None]]] = {}
    for name, role, share in holders:
        collector = _collector(holders, name) if role == "provide" else None
        if share.clauses not in shared:
            covered = [(position, clause) for position, clause in enumerate(row.clauses) if share.covers(clause)]
            matters = _matters(row, covered, document, year)
            shared[share.clauses] = [(matter, _points(row, matter, covered)) for matter in matters]
        for matter, points in shared[share.clauses]:
            for occurrence in matter.occurrences:
                yield PlannedTask(
                    office=name,
                    role=role,
                    row=row.code,
                    clause_position=matter.clause_position,
                    clause=matter.clause.no if matter.clause else None,
                    deadline_position=matter.deadline_position,
                    period=occurrence.period,
                    starts=occurrence.starts,
                    ends=occurrence.ends,
                    due=occurrence.due,
                    title=matter.title,
                    quote=matter.quote,
                    points=points,
                    by_cycle=matter.by_cycle,
                    fixed=matter.fixed,
                    collector=collector,
                )


def _holders(row: Row, document: Document) -> list[tuple[str, str, Responsibility]]:
    """(office, role, what it answers for), collective names expanded, an office once in each role."""
    merged: dict[tuple[str, str], Responsibility] = {}
    for office in row.offices:
        for name in document.expand(office.name):
            known = merged.get((name, office.role))
            if known is None:
                merged[name, office.role] = office
            elif known.clauses is not None:
                both = None if office.clauses is None else tuple(sorted({*known.clauses, *office.clauses}))
                merged[name, office.role] = replace(known, clauses=both)
    return [(name, role, share) for (name, role), share in merged.items()]


def _collector(holders: Sequence[tuple[str, str, Responsibility]], provider: str) -> str | None:
    return next((name for name, role, _ in holders if role == "collect" and name != provider), None)


def _matters(row: Row, covered: Sequence[tuple[int, Clause]], document: Document, year: int) -> Iterator[_Matter]:
    rest = []
    for position, clause in covered:
        dated = [(order, entry) for order, entry in enumerate(clause.deadlines) if entry.makes_tasks]
        if clause.unscored or not dated:
            rest.append(clause)
            continue
        for order, entry in dated:
            yield _dated(entry, year, title=entry.what or _short(clause.text), at=(position, clause, order))
    if not rest and row.clauses:
        return
    dated = [(order, entry) for order, entry in enumerate(row.deadlines) if entry.makes_tasks]
    for order, entry in dated:
        yield _dated(entry, year, title=entry.what or row.title, at=(None, None, order))
    if not dated:
        yield _Matter(
            None,
            None,
            None,
            occurrences(document.cycle, year=year),
            title=row.title if len(rest) != 1 or len(row.clauses) == 1 else _short(rest[0].text),
            quote=document.reporting_cycle["reading"],
            by_cycle=True,
        )


def _dated(entry: DeadlineEntry, year: int, *, title: str, at: tuple[int | None, Clause | None, int]) -> _Matter:
    position, clause, order = at
    dues = occurrences(entry.parsed, year=year)
    return _Matter(position, clause, order, dues, title=title, quote=entry.quote, fixed=entry.parsed.fixed)


def _short(text: str) -> str:
    return text if len(text) <= TITLE_LENGTH else text[: TITLE_LENGTH - 1] + "…"


def _points(row: Row, matter: _Matter, covered: Sequence[tuple[int, Clause]]) -> Decimal | None:
    """The points at stake. A row without figures cannot be divided: only who answers for all of it has its points."""
    if matter.clause is not None:
        alone = len(row.scored) == 1 and row.scored[0] is matter.clause
        return row.points if alone and matter.clause.points is None else matter.clause.points
    if all(clause.points is None for clause in row.scored):
        return row.points if len(covered) == len(row.clauses) else None
    rest = [
        clause
        for _, clause in covered
        if clause in row.scored and not any(entry.makes_tasks for entry in clause.deadlines)
    ]
    if len(rest) == len(row.scored):
        return row.points
    figures = [clause.points for clause in rest]
    return sum(figures, Decimal(0)) if figures and None not in figures else None
