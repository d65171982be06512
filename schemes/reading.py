"""A version as it is read: its document, remembered because it never changes, and the points of its offices."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property, lru_cache

from schemes.document import Document, shown
from schemes.models import SchemeVersion
from schemes.queries import load_document, office_points

REMEMBERED = 8


def document_of(version: SchemeVersion) -> Document:
    """The version's document; eleven queries the first time, none afterwards."""
    return _remembered(version.pk, version.digest, version.imported_at)


@lru_cache(maxsize=REMEMBERED)
def _remembered(pk: int, digest: str, imported_at: datetime) -> Document:
    # the digest is that of the content; the instant keeps apart versions of databases that follow each other in tests
    return load_document(SchemeVersion(pk=pk, digest=digest, imported_at=imported_at))


@dataclass(frozen=True)
class PointsLine:
    """What one office answers for; figures as `shown` writes them, blank where there is none."""

    office: str
    responsible: str
    collect: str
    implement: str
    total: str


@dataclass(frozen=True)
class PointsTable:
    lines: tuple[PointsLine, ...]
    undivided: str
    undivided_rows: tuple[str, ...]
    total: str

    @cached_property
    def total_of(self) -> dict[str, str]:
        return {line.office: line.total for line in self.lines}


def points_table(document: Document) -> PointsTable:
    """The points of each office as they are printed. Each point stands once: the total closes with the notice."""
    points = office_points(document)

    def figure(value: Decimal) -> str:
        return (shown(value) or "") if value else ""

    return PointsTable(
        lines=tuple(
            PointsLine(
                name, figure(line.responsible), figure(line.collect), figure(line.implement), shown(line.total) or "0"
            )
            for name, line in points.offices.items()
        ),
        undivided=figure(points.undivided),
        undivided_rows=tuple(points.undivided_rows),
        total=shown(points.total) or "0",
    )
