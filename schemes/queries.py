"""Reading notices: the rows of a version, the document they stand for, and what is derived from it."""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Prefetch

from schemes import document as docs
from schemes.document import Document, document_export
from schemes.errors import SchemeNotFound, SchemeRefused
from schemes.importers import read_document
from schemes.models import (
    Clause,
    Deadline,
    Indicator,
    Responsibility,
    SchemeVersion,
    ScoringRule,
    Section,
)
from schemes.rolling import Difference, differences

LIBRARY = Path(settings.BASE_DIR) / "schemes" / "library"


def latest(key: str, year: int | None = None) -> SchemeVersion | None:
    """The newest version of a scheme, of a year if one is given: the highest number of the latest year."""
    rows = SchemeVersion.objects.filter(scheme__key=key).select_related("scheme", "unit")
    if year is not None:
        rows = rows.filter(year=year)
    return rows.order_by("-year", "-number").first()


def full(version: SchemeVersion) -> SchemeVersion:
    """The version with its whole tree, in a constant number of queries.

    version.sections.all() → section.indicators.all() → indicator.clauses.all(), .responsibilities.all(), .row_rules,
    .row_deadlines; clause.rules.all(), clause.deadlines.all(); version.doubts.all().
    """
    clauses = Clause.objects.prefetch_related("rules", "deadlines")
    indicators = Indicator.objects.prefetch_related(
        Prefetch("clauses", queryset=clauses),
        Prefetch("responsibilities", queryset=Responsibility.objects.select_related("office")),
        Prefetch("rules", queryset=ScoringRule.objects.filter(clause=None), to_attr="row_rules"),
        Prefetch("deadlines", queryset=Deadline.objects.filter(clause=None), to_attr="row_deadlines"),
    )
    sections = Section.objects.prefetch_related(Prefetch("indicators", queryset=indicators))
    return (
        SchemeVersion.objects.select_related("scheme", "unit", "rolled_from")
        .prefetch_related(Prefetch("sections", queryset=sections), "doubts")
        .get(pk=version.pk)
    )


# --- the document of a version ----------------------------------------------------------------------------------------


def load_document(version: SchemeVersion) -> Document:
    """The document that a version stands for; equal in content (and digest) to the one that was imported."""
    version = full(version)
    return Document(
        key=version.scheme.key,
        title=version.title,
        year=version.year,
        issuer=version.issuer,
        issued_on=version.issued_on,
        source_file=version.source_file,
        source_sha256=version.source_sha256,
        points=version.points,
        differences=tuple(version.differences),
        reporting_cycle=version.reporting_cycle,
        groups=tuple(
            docs.Group(name=group["name"], members=tuple(group["members"]), doubt=group["doubt"])
            for group in version.groups
        ),
        settings=version.settings,
        sections=tuple(
            docs.Section(
                no=section.no,
                title=section.title,
                points=section.points,
                line=section.line,
                rows=tuple(_row(indicator) for indicator in section.indicators.all()),
            )
            for section in version.sections.all()
        ),
        bonus=version.bonus,
        doubts=tuple(
            docs.Doubt(
                id=doubt.code,
                kind=doubt.kind,
                question=doubt.question,
                reading=doubt.reading,
                line=doubt.line,
                quote=doubt.quote,
                where=doubt.where or None,
            )
            for doubt in version.doubts.all()
        ),
    )


def _row(indicator: Indicator) -> docs.Row:
    return docs.Row(
        code=indicator.code,
        path=tuple(indicator.path),
        line=indicator.line,
        points=indicator.points,
        points_line=indicator.points_line,
        preamble=indicator.preamble,
        preamble_line=indicator.preamble_line,
        rules=tuple(docs.RuleEntry(rule.params) for rule in indicator.row_rules),
        deadlines=tuple(docs.DeadlineEntry(deadline.params) for deadline in indicator.row_deadlines),
        offices=tuple(
            docs.Responsibility(
                name=office.name,
                role=office.role,
                clauses=None if office.clause_numbers is None else tuple(office.clause_numbers),
                inherited=office.inherited,
                line=office.line,
            )
            for office in indicator.responsibilities.all()
        ),
        clauses=tuple(
            docs.Clause(
                no=clause.no,
                line=clause.line,
                text=clause.text,
                points=clause.points,
                parts=tuple(clause.parts),
                measures=tuple(clause.measures),
                unscored=clause.unscored,
                deadlines=tuple(docs.DeadlineEntry(deadline.params) for deadline in clause.deadlines.all()),
                rules=tuple(docs.RuleEntry(rule.params) for rule in clause.rules.all()),
            )
            for clause in indicator.clauses.all()
        ),
    )


def export(version: SchemeVersion) -> dict[str, Any]:
    """The version as plain data, as `export_scheme --json` prints it."""
    return document_export(load_document(version))


def compare(*, old: SchemeVersion, new: SchemeVersion) -> list[Difference]:
    """What changes from one version to another: year, each fixed due date, offices, texts, bonus window."""
    return differences(load_document(old), load_document(new))


# --- the library ------------------------------------------------------------------------------------------------------


def library_keys() -> list[str]:
    """The schemes that come with the program."""
    return sorted(path.stem for path in LIBRARY.glob("*.yaml"))


def library_file(key: str) -> Path:
    """The file of a scheme that comes with the program, or SchemeNotFound."""
    if key not in library_keys():
        raise SchemeNotFound(key=key)
    return LIBRARY / f"{key}.yaml"


def as_published(key: str) -> SchemeVersion | None:
    """The notice itself in its newest edition, not a year it was rolled to."""
    rows = SchemeVersion.objects.filter(scheme__key=key, rolled_from=None)
    return rows.select_related("scheme", "unit").order_by("-year", "-number").first() or latest(key)


def find_document(key: str, *, year: int | None = None) -> Document:
    """The document of a key: the database's (of the year, else the notice itself), else the library's.

    Works before the first migration too: the library needs no database.
    """
    if SchemeVersion._meta.db_table in connection.introspection.table_names():
        version = (latest(key, year) if year is not None else None) or as_published(key)
        if version is not None:
            return load_document(version)
    document, problems = read_document(library_file(key).read_bytes())
    if document is None:
        raise SchemeRefused(problems)
    return document


# --- points by office -------------------------------------------------------------------------------------------------


@dataclass
class OfficePoints:
    """The points (分) that one office answers for, by role."""

    office: str
    responsible: Decimal = Decimal(0)
    collect: Decimal = Decimal(0)
    implement: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        return self.responsible + self.collect + self.implement


@dataclass
class PointsByOffice:
    """Each point once, at the office that answers for it. `undivided`: rows of several offices without figures."""

    offices: dict[str, OfficePoints] = field(default_factory=dict)
    undivided: Decimal = Decimal(0)
    undivided_rows: list[str] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        return sum((line.total for line in self.offices.values()), self.undivided)


def office_points(source: SchemeVersion | Document) -> PointsByOffice:
    """Points by the office that answers (responsible, collect, implement); who only provides material has none."""
    document = source if isinstance(source, Document) else load_document(source)
    result = PointsByOffice({name: OfficePoints(name) for name in document.offices})
    for row in document.rows:
        shares = _shares(row, document)
        if shares is None:
            result.undivided += row.points or Decimal(0)
            result.undivided_rows.append(row.code)
            continue
        for (name, role), points in shares.items():
            line = result.offices[name]
            setattr(line, role, getattr(line, role) + points)
    return result


def _shares(row: docs.Row, document: Document) -> dict[tuple[str, str], Decimal] | None:
    """(office, role) → points of a row, or None if the text does not say how they divide."""
    answering = [office for office in row.offices if office.role != "provide"]
    holders = [(office, name) for office in answering for name in document.expand(office.name)]
    if len(holders) == 1 and holders[0][0].clauses is None:
        return {(holders[0][1], holders[0][0].role): row.points or Decimal(0)}
    if not row.has_all_figures:
        return None
    shares: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for clause in row.scored:
        responsible = [(office, name) for office, name in holders if office.covers(clause)]
        if len(responsible) != 1:
            return None
        office, name = responsible[0]
        shares[(name, office.role)] += clause.points
    return shares
