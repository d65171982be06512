"""A notice carried to another year, and what differs between two editions. Pure: documents in, documents out."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from deadlines.recurrence import occurrences
from schemes.document import Clause, DeadlineEntry, Document, Row, bonus_window, shown


@dataclass(frozen=True)
class Difference:
    """One thing that two editions say differently. `where` is a row (1.03), a clause (1.03/2) or "" for the whole.

    `kind` due and year changes follow from the year; `mention` is a text that still names the former year and has to
    be checked by a person.
    """

    kind: str
    where: str
    label: str
    old: str
    new: str

    def __str__(self) -> str:
        place = f"{self.where} " if self.where else ""
        if self.kind == "mention":
            return f"{place}{self.label}:{self.old}"
        return f"{place}{self.label}:{self.old or '—'} → {self.new or '—'}"


def rolled(document: Document, *, year: int, offices: Mapping[str, str]) -> Document:
    """The document for another year. Dates move by themselves; the words of the clauses are left as printed.

    Titles carry the new year. The date of issue is dropped: the new edition has not been issued. `offices` renames the
    offices that answer (former name → present name); collective names keep standing, with their members renamed.
    """

    def renamed(name: str) -> str:
        return offices.get(name, name)

    def row(old: Row) -> Row:
        return replace(old, offices=tuple(replace(office, name=renamed(office.name)) for office in old.offices))

    return replace(
        document,
        year=year,
        title=document.title.replace(f"{document.year}年", f"{year}年"),
        issued_on=None,
        groups=tuple(
            replace(group, members=tuple(dict.fromkeys(map(renamed, group.members)))) for group in document.groups
        ),
        sections=tuple(replace(section, rows=tuple(map(row, section.rows))) for section in document.sections),
        bonus=_renamed_bonus(document.bonus, renamed),
    )


def _renamed_bonus(bonus: Mapping[str, Any] | None, renamed) -> Mapping[str, Any] | None:
    if bonus is None:
        return None

    def printed(entry: Mapping[str, Any]) -> dict[str, Any]:
        return {**entry, "offices": [{**office, "name": renamed(office["name"])} for office in entry["offices"]]}

    return {**printed(bonus), "rows": [printed(row) for row in bonus["rows"]]}


# --- differences ------------------------------------------------------------------------------------------------------


def differences(old: Document, new: Document) -> list[Difference]:
    """Everything a reader should know before the new edition is used, in the order of the notice."""
    found = list(_header(old, new))
    rows = {row.code: row for row in new.rows}
    for row in old.rows:
        if row.code in rows:
            found += _row(row, rows[row.code], old.year, new.year)
        else:
            found.append(Difference("row", row.code, _("指标行"), row.title, ""))
    known = {row.code for row in old.rows}
    found += [Difference("row", row.code, _("指标行"), "", row.title) for row in new.rows if row.code not in known]
    return found


def _header(old: Document, new: Document) -> Iterator[Difference]:
    for kind, label, before, after in (
        ("year", _("年度"), str(old.year), str(new.year)),
        ("title", _("标题"), old.title, new.title),
        ("issued_on", _("印发日期"), str(old.issued_on or ""), str(new.issued_on or "")),
        ("points", _("总分"), shown(old.points) or "", shown(new.points) or ""),
        ("cycle", _("申报周期"), old.cycle.sentence(), new.cycle.sentence()),
        ("bonus", _("加分期间"), _window(old), _window(new)),
        ("groups", _("统称"), _groups(old), _groups(new)),
    ):
        if before != after:
            yield Difference(kind, "", label, before, after)


def _window(document: Document) -> str:
    window = bonus_window(document.bonus, year=document.year)
    return _("{first}至{last}").format(first=window[0], last=window[1]) if window else ""


def _groups(document: Document) -> str:
    return ";".join(f"{group.name}={_('、').join(group.members)}" for group in document.groups)


def _row(old: Row, new: Row, old_year: int, new_year: int) -> Iterator[Difference]:
    if old.points != new.points:
        yield Difference("points", old.code, _("分值"), shown(old.points) or "", shown(new.points) or "")
    if (before := _offices(old)) != (after := _offices(new)):
        yield Difference("offices", old.code, _("责任部门"), before, after)
    yield from _deadlines(old.code, old.deadlines, new.deadlines, old_year, new_year)
    if old.preamble != new.preamble:
        yield Difference("text", old.code, _("总述"), old.preamble or "", new.preamble or "")
    else:
        yield from _mention(old.code, new.preamble, old_year, new_year)
    for order in range(max(len(old.clauses), len(new.clauses))):
        before = old.clauses[order] if order < len(old.clauses) else None
        after = new.clauses[order] if order < len(new.clauses) else None
        yield from _clause(old.code, before, after, old_year, new_year)


def _offices(row: Row) -> str:
    return ";".join(
        f"{office.name}({office.role}{'' if office.clauses is None else ' ' + ','.join(map(str, office.clauses))})"
        for office in row.offices
    )


def _clause(code: str, old: Clause | None, new: Clause | None, old_year: int, new_year: int) -> Iterator[Difference]:
    where = f"{code}/{(old or new).no or '-'}"
    if old is None or new is None:
        yield Difference("clause", where, _("条款"), old.text if old else "", new.text if new else "")
        return
    if old.text != new.text:
        yield Difference("text", where, _("条文"), old.text, new.text)
    else:
        yield from _mention(where, new.text, old_year, new_year)
    if old.points != new.points:
        yield Difference("points", where, _("分值"), shown(old.points) or "", shown(new.points) or "")
    if [rule.data for rule in old.rules] != [rule.data for rule in new.rules]:
        yield Difference("rules", where, _("计分规则"), str(len(old.rules)), str(len(new.rules)))
    yield from _deadlines(where, old.deadlines, new.deadlines, old_year, new_year)


def _mention(where: str, text: str | None, old_year: int, new_year: int) -> Iterator[Difference]:
    found = re.search(rf"[^,。;:]*{old_year}[^,。;:]*", text or "")
    if found and old_year != new_year:
        yield Difference("mention", where, _("文字仍写有{year},请核对").format(year=old_year), found[0], found[0])


def _deadlines(
    where: str, old: tuple[DeadlineEntry, ...], new: tuple[DeadlineEntry, ...], old_year: int, new_year: int
) -> Iterator[Difference]:
    for order in range(max(len(old), len(new))):
        before = old[order] if order < len(old) else None
        after = new[order] if order < len(new) else None
        dues = _dues(before, old_year), _dues(after, new_year)
        if dues[0] != dues[1]:
            yield Difference("due", where, _("时限“{quote}”").format(quote=(after or before).quote[:30]), *dues)
        elif before and after and before.data != after.data:
            yield Difference("deadline", where, _("时限"), before.parsed.sentence(), after.parsed.sentence())


def _dues(entry: DeadlineEntry | None, year: int) -> str:
    """A fixed date, or the first and last of a recurring one."""
    if entry is None or not entry.makes_tasks:
        return ""
    dues = [occurrence.due.isoformat() for occurrence in occurrences(entry.parsed, year=year)]
    return dues[0] if len(dues) == 1 else _("{first}…{last}({n}次)").format(first=dues[0], last=dues[-1], n=len(dues))
