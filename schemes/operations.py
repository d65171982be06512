"""Writing notices: importing a document as a version, and rolling a version to another year."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.errors import BadInput
from accounts.grants import fresh_scope, require
from accounts.models import Office
from audit.operations import record
from schemes.document import Document, Row
from schemes.errors import UnitMissing
from schemes.models import (
    Clause,
    Deadline,
    Doubt,
    Indicator,
    Responsibility,
    Scheme,
    SchemeVersion,
    ScoringRule,
    Section,
)
from schemes.queries import compare, load_document
from schemes.rolling import rolled
from scoring.rules import parse_rule, rule_digest

BATCH = 500
FIRST_YEAR, LAST_YEAR = 1950, 2999

__all__ = ["compare", "import_document", "roll"]


def import_document(*, document: Document, actor: Actor, at: datetime) -> SchemeVersion:
    """Store a checked document as the next version of its scheme and year; all of it or nothing.

    Content equal to the latest version of that year returns that version and writes nothing. Offices are found by
    name; missing ones are created below the issuer, which becomes the root of the tree if it is new. A person needs
    the coordinating power over the issuer; only the system may create the issuer.
    """
    with transaction.atomic():
        unit = _unit(document, actor=actor, at=at)
        scheme, _ = Scheme.objects.get_or_create(key=document.key, defaults={"title": document.title})
        scheme = Scheme.objects.select_for_update().get(pk=scheme.pk)
        latest = scheme.versions.filter(year=document.year).order_by("-number").first()
        if latest is not None and latest.digest == document.digest:
            return latest
        offices = _offices(document, unit=unit, actor=actor, at=at)
        version = _store(document, scheme=scheme, unit=unit, offices=offices, number=_next(latest), at=at)
        record(
            actor=actor,
            at=at,
            verb="scheme.imported",
            subject=version,
            office_id=unit.pk,
            detail={"title": version.title, "year": version.year, "number": version.number, "digest": version.digest},
        )
    return version


def roll(
    *, version: SchemeVersion, year: int, actor: Actor, at: datetime, offices: Mapping[str, str] | None = None
) -> SchemeVersion:
    """Copy a version to another year as a new version (or return the latest of that year, if it is the same).

    The clauses keep the words of the notice; dates carry no year and move with it. `offices` maps a former office name
    to the one that takes its place. `compare` shows what changes.
    """
    with transaction.atomic():
        scheme = Scheme.objects.select_for_update().get(pk=version.scheme_id)
        _require_coordinator(actor, version.unit)
        former = load_document(version)
        _check_roll(former, year=year, offices=offices or {})
        document = rolled(former, year=year, offices=offices or {})
        latest = scheme.versions.filter(year=year).order_by("-number").first()
        if latest is not None and latest.digest == document.digest:
            return latest
        new = _store(
            document,
            scheme=scheme,
            unit=version.unit,
            offices=_offices(document, unit=version.unit, actor=actor, at=at),
            number=_next(latest),
            at=at,
            rolled_from=version,
        )
        record(
            actor=actor,
            at=at,
            verb="scheme.rolled",
            subject=new,
            office_id=version.unit_id,
            detail={"from_year": version.year, "year": year, "number": new.number, "digest": new.digest},
        )
    return new


def _check_roll(document: Document, *, year: int, offices: Mapping[str, str]) -> None:
    problems: dict[str, list[str]] = {}
    if year == document.year or not FIRST_YEAR <= year <= LAST_YEAR:
        problems["year"] = [
            _("结转的年度须不同于{year}年,并在{first}至{last}之间").format(
                year=document.year, first=FIRST_YEAR, last=LAST_YEAR
            )
        ]
    if unknown := [name for name in offices if name not in document.offices]:
        problems["offices"] = [
            _("方案中没有这些处室:{unknown},可用:{known}").format(
                unknown=_("、").join(unknown), known=_("、").join(document.offices)
            )
        ]
    if problems:
        raise BadInput(problems)


def _next(latest: SchemeVersion | None) -> int:
    return latest.number + 1 if latest else 1


def _require_coordinator(actor: Actor, unit: Office) -> None:
    require(actor.is_system or unit.pk in fresh_scope(actor.user).coordinate)


# --- offices ----------------------------------------------------------------------------------------------------------


def _unit(document: Document, *, actor: Actor, at: datetime) -> Office:
    unit = Office.objects.filter(name=document.issuer).first()
    if unit is not None:
        _require_coordinator(actor, unit)
        return unit
    if not actor.is_system:
        raise UnitMissing(name=document.issuer)
    return _create_office(name=document.issuer, parent=None, position=0, actor=actor, at=at)


def _offices(document: Document, *, unit: Office, actor: Actor, at: datetime) -> dict[str, Office]:
    """Office by name, the missing ones created below the unit."""
    found = {office.name: office for office in Office.objects.filter(name__in=document.offices).order_by()}
    for position, name in enumerate(document.offices, start=1):
        if name not in found:
            found[name] = _create_office(name=name, parent=unit, position=position, actor=actor, at=at)
    return found


def _create_office(*, name: str, parent: Office | None, position: int, actor: Actor, at: datetime) -> Office:
    office = Office.objects.create(name=name, parent=parent, position=position)
    record(actor=actor, at=at, verb="office.created", subject=office, office_id=office.pk, detail={"name": name})
    return office


# --- rows -------------------------------------------------------------------------------------------------------------


@dataclass
class _Stored:
    """The rows of one version on their way to the database."""

    sections: list[Section]
    indicators: list[Indicator]
    clauses: list[Clause]
    rules: list[ScoringRule]
    deadlines: list[Deadline]
    responsibilities: list[Responsibility]


def _store(
    document: Document,
    *,
    scheme: Scheme,
    unit: Office,
    offices: Mapping[str, Office],
    number: int,
    at: datetime,
    rolled_from: SchemeVersion | None = None,
) -> SchemeVersion:
    version = SchemeVersion.objects.create(
        scheme=scheme,
        year=document.year,
        number=number,
        title=document.title,
        issuer=document.issuer,
        issued_on=document.issued_on,
        points=document.points,
        source_file=document.source_file,
        source_sha256=document.source_sha256,
        digest=document.digest,
        reporting_cycle=dict(document.reporting_cycle),
        settings=dict(document.settings),
        differences=[dict(item) for item in document.differences],
        bonus=document.bonus,
        groups=[
            # the ids keep a group together when one of its offices is renamed
            {
                "name": group.name,
                "members": list(group.members),
                "doubt": group.doubt,
                "offices": [offices[name].pk for name in group.members],
            }
            for group in document.groups
        ],
        unit=unit,
        rolled_from=rolled_from,
        imported_at=at,
    )
    rows = _Stored([], [], [], [], [], [])
    for position, section in enumerate(document.sections):
        stored = Section(
            version=version,
            position=position,
            no=section.no,
            title=section.title,
            points=section.points,
            line=section.line,
        )
        rows.sections.append(stored)
        for order, row in enumerate(section.rows):
            _add_row(rows, row, version=version, section=stored, position=order, offices=offices, document=document)
    # In this order, so that the children find the keys of their parents.
    for model, objects in (
        (Section, rows.sections),
        (Indicator, rows.indicators),
        (Clause, rows.clauses),
        (ScoringRule, rows.rules),
        (Deadline, rows.deadlines),
        (Responsibility, rows.responsibilities),
    ):
        model.objects.bulk_create(objects, batch_size=BATCH)
    Doubt.objects.bulk_create(
        [
            Doubt(
                version=version,
                position=position,
                code=doubt.id,
                kind=doubt.kind,
                where=doubt.where or "",
                line=doubt.line,
                quote=doubt.quote,
                question=doubt.question,
                reading=doubt.reading,
            )
            for position, doubt in enumerate(document.doubts)
        ],
        batch_size=BATCH,
    )
    return version


def _add_row(
    rows: _Stored,
    row: Row,
    *,
    version: SchemeVersion,
    section: Section,
    position: int,
    offices: Mapping[str, Office],
    document: Document,
) -> None:
    indicator = Indicator(
        version=version,
        section=section,
        position=position,
        code=row.code,
        path=list(row.path),
        points=row.points,
        line=row.line,
        points_line=row.points_line,
        preamble=row.preamble,
        preamble_line=row.preamble_line,
    )
    rows.indicators.append(indicator)
    _add_words(rows, row, indicator=indicator, clause=None)
    for order, clause in enumerate(row.clauses):
        stored = Clause(
            indicator=indicator,
            position=order,
            no=clause.no,
            line=clause.line,
            text=clause.text,
            points=clause.points,
            parts=[dict(part) for part in clause.parts],
            measures=[dict(measure) for measure in clause.measures],
            unscored=clause.unscored,
        )
        rows.clauses.append(stored)
        _add_words(rows, clause, indicator=indicator, clause=stored)
    for order, office in enumerate(row.offices):
        rows.responsibilities.append(
            Responsibility(
                indicator=indicator,
                position=order,
                name=office.name,
                office=None if office.name in document.members else offices[office.name],
                role=office.role,
                clause_numbers=None if office.clauses is None else list(office.clauses),
                inherited=office.inherited,
                line=office.line,
            )
        )


def _add_words(rows: _Stored, entry: Any, *, indicator: Indicator, clause: Clause | None) -> None:
    """The rules and deadlines of a clause, or (clause None) of the row itself."""
    for position, rule in enumerate(entry.rules):
        rows.rules.append(
            ScoringRule(
                indicator=indicator,
                clause=clause,
                position=position,
                code=rule.id,
                kind=rule.kind,
                quote=rule.quote,
                params=dict(rule.data),
                digest=rule_digest(parse_rule(rule.data)),
            )
        )
    for position, deadline in enumerate(entry.deadlines):
        rows.deadlines.append(
            Deadline(
                indicator=indicator,
                clause=clause,
                position=position,
                kind=deadline.kind,
                quote=deadline.quote,
                params=dict(deadline.data),
            )
        )
