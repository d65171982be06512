"""Whether a notice hangs together: totals that close, references that exist, and somebody who answers for each clause.

Each check yields (path in the file, Chinese message). Totals that do not close are accepted only when declared under
`differences` with exactly the stated figure and the sum.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from schemes.document import Clause, Document, Row, shown
from scoring.points import PointsError, parse_points

Found = Iterator[tuple[str, str]]


def problems(document: Document, *, offices: Sequence[str]) -> Found:
    """Everything that does not hang together. `offices` are the names declared at the top of the file."""
    yield from _names(document, offices)
    for path, row in _rows(document):
        yield from _numbers(document, path, row)
        yield from _responsibilities(document, path, row, known={*offices, *document.members})
    yield from _rule_ids(document)
    yield from _doubts(document)
    yield from _totals(document)


def _rows(document: Document) -> Iterator[tuple[str, Row]]:
    for number, section in enumerate(document.sections):
        for order, row in enumerate(section.rows):
            yield f"sections[{number}].rows[{order}]", row


def clause_ref(row: Row, clause: Clause) -> str:
    """How doubts and differences name a clause: 1.12/2, and 1.23/- for a paragraph without a number."""
    return f"{row.code}/{'-' if clause.no is None else clause.no}"


# --- names ------------------------------------------------------------------------------------------------------------


def _names(document: Document, offices: Sequence[str]) -> Found:
    seen: set[str] = set()
    for index, name in enumerate(offices):
        if name and name in seen:
            yield f"offices[{index}].name", f"处室“{name}”列了两次"
        seen.add(name)
    used = set(document.offices)
    for index, name in enumerate(offices):
        if name and name not in used:
            yield f"offices[{index}].name", f"“{name}”没有出现在任何一行的责任部门或统称里,请删去或核对名称"
    groups: set[str] = set()
    for index, group in enumerate(document.groups):
        if group.name and group.name in seen:
            yield f"groups[{index}].name", f"统称“{group.name}”与处室重名"
        if group.name and group.name in groups:
            yield f"groups[{index}].name", f"统称“{group.name}”列了两次"
        groups.add(group.name)
        for order, (member, count) in enumerate(Counter(group.members).items()):
            if member and member not in seen:
                yield f"groups[{index}].members[{order}]", f"“{member}”不在 offices 中,可用:{'、'.join(offices)}"
            if count > 1:
                yield f"groups[{index}].members", f"“{member}”列了两次"
    bonus = document.bonus or {"rows": []}
    places = [("bonus", bonus), *((f"bonus.rows[{order}]", row) for order, row in enumerate(bonus["rows"]))]
    for place, printed in places:
        for index, office in enumerate(printed.get("offices", [])):
            name = office.get("name")
            if isinstance(name, str) and name and name not in seen and name not in groups:
                yield f"{place}.offices[{index}].name", _unknown_office(name, [*offices, *document.members])


def _unknown_office(name: str, known: Sequence[str]) -> str:
    return f"“{name}”既不在 offices 中,也不是 groups 中的统称,可用:{'、'.join(sorted(filter(None, known)))}"


# --- rows -------------------------------------------------------------------------------------------------------------


def _numbers(document: Document, path: str, row: Row) -> Found:
    numbers = [clause.no for clause in row.clauses if clause.no is not None]
    seen: set[int] = set()
    for order, clause in enumerate(row.clauses):
        if clause.no is not None and clause.no in seen:
            yield f"{path}.clauses[{order}].no", f"{row.code} 的第{clause.no}条出现两次"
        seen.add(clause.no)
    missing = sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
    declared = {item.get("where") for item in document.differences}
    if missing and f"numbering {row.code}" not in declared:
        listed = "、".join(f"第{no}条" for no in missing[:10])
        yield (
            f"{path}.clauses",
            f"{row.code} 的条号不连续,缺{listed};原文如此的,请在 differences 中声明 where: numbering {row.code}",
        )


def _responsibilities(document: Document, path: str, row: Row, *, known: set[str]) -> Found:
    numbers = {clause.no for clause in row.clauses if clause.no is not None}
    if not row.offices:
        yield f"{path}.offices", f"{row.code} 没有责任部门;随合并单元格推定的,请写出并注明 inherited: true"
        return
    seen = set()
    for order, office in enumerate(row.offices):
        at = f"{path}.offices[{order}]"
        if office.name and office.name not in known:
            yield f"{at}.name", _unknown_office(office.name, sorted(known))
        if (office.name, office.role) in seen:
            yield at, f"“{office.name}”以同一角色({office.role})列了两次,请合并"
        seen.add((office.name, office.role))
        for place, no in enumerate(office.clauses or ()):
            if no not in numbers:
                listed = "、".join(map(str, sorted(numbers))) or "(本行无编号条款)"
                yield f"{at}.clauses[{place}]", f"{row.code} 没有第{no}条,可用:{listed}"
        for no, count in Counter(office.clauses or ()).items():
            if count > 1:
                yield f"{at}.clauses", f"第{no}条列了两次"
    answering = [office for office in row.offices if office.role != "provide"]
    if not answering:
        yield f"{path}.offices", f"{row.code} 只有提供材料的部门,没有责任或上报部门"
    uncovered = [clause.no for clause in row.clauses if not any(office.covers(clause) for office in answering)]
    if answering and uncovered:
        yield f"{path}.offices", f"{row.code} 的{'、'.join(f'第{no}条' for no in uncovered)}没有责任部门"


# --- references -------------------------------------------------------------------------------------------------------


def _rules(document: Document) -> Iterator[tuple[str, Mapping]]:
    """(path, mapping) of every rule of the file."""
    for path, row in _rows(document):
        for index, rule in enumerate(row.rules):
            yield f"{path}.rules[{index}]", rule.data
        for order, clause in enumerate(row.clauses):
            for index, rule in enumerate(clause.rules):
                yield f"{path}.clauses[{order}].rules[{index}]", rule.data
    if document.bonus:
        for index, rule in enumerate(document.bonus["rules"]):
            yield f"bonus.rules[{index}]", rule
        for order, row in enumerate(document.bonus["rows"]):
            for index, rule in enumerate(row["rules"]):
                yield f"bonus.rows[{order}].rules[{index}]", rule


def _rule_ids(document: Document) -> Found:
    seen: dict[str, str] = {}
    for path, rule in _rules(document):
        code = rule.get("id")
        if not isinstance(code, str):
            continue
        # twice in one place is reported where the rules of that place are read
        if code in seen and seen[code].rpartition("[")[0] != path.rpartition("[")[0]:
            yield f"{path}.id", f"规则编号“{code}”已用于 {seen[code]},编号在全文件中不得重复"
        seen.setdefault(code, path)


def _doubts(document: Document) -> Found:
    known: set[str] = set()
    places = {row.code for _, row in _rows(document)}
    places |= {clause_ref(row, clause) for _, row in _rows(document) for clause in row.clauses}
    for index, doubt in enumerate(document.doubts):
        if doubt.id and doubt.id in known:
            yield f"doubts[{index}].id", f"存疑编号“{doubt.id}”重复"
        known.add(doubt.id)
        if doubt.where and doubt.where not in places:
            yield f"doubts[{index}].where", f"没有“{doubt.where}”这一行或条款,应形如 1.12 或 1.12/2"
    for path, name in _doubt_refs(document):
        if name is not None and (not isinstance(name, str) or name not in known):
            yield path, f"doubts 中没有“{name}”"


def _doubt_refs(document: Document) -> Iterator[tuple[str, object]]:
    for path, rule in _rules(document):
        yield f"{path}.doubt", rule.get("doubt")
    for path, row in _rows(document):
        for index, deadline in enumerate(row.deadlines):
            yield f"{path}.deadlines[{index}].doubt", deadline.data.get("doubt")
        for order, clause in enumerate(row.clauses):
            for index, deadline in enumerate(clause.deadlines):
                yield f"{path}.clauses[{order}].deadlines[{index}].doubt", deadline.data.get("doubt")
    for index, group in enumerate(document.groups):
        yield f"groups[{index}].doubt", group.doubt
    window = document.bonus and document.bonus["window"]
    if window:
        yield "bonus.window.doubt", window.get("doubt")


# --- totals -----------------------------------------------------------------------------------------------------------


def _sums(document: Document) -> Iterator[tuple[str, str, str, Decimal, Decimal]]:
    """(where, path of the stated figure, name, stated, sum) of every total that can be added up."""
    for path, row in _rows(document):
        for order, clause in enumerate(row.clauses):
            if clause.parts and clause.points is not None:
                added = _add(Decimal(part["points"]) for part in clause.parts)
                name = f"{row.code} 第{clause.no}条" if clause.no else f"{row.code} 未编号条款"
                yield f"clause {clause_ref(row, clause)}", f"{path}.clauses[{order}].points", name, clause.points, added
        # With a figure missing, the others can still be too many.
        added = _add(clause.points for clause in row.scored if clause.points is not None)
        if row.points is not None and (row.has_all_figures or added > row.points):
            yield f"row {row.code}", f"{path}.points", f"{row.code} 各条", row.points, added
    for number, section in enumerate(document.sections):
        figures = [row.points for row in section.rows]
        if section.points is not None and figures and None not in figures:
            path = f"sections[{number}].points"
            yield f"section {section.no}", path, f"{section.no}各行", section.points, _add(figures)
    figures = [section.points for section in document.sections]
    if document.points is not None and figures and None not in figures:
        yield "total", "points", "各部分", document.points, _add(figures)


def _add(figures) -> Decimal:
    return sum(figures, Decimal(0))


def _totals(document: Document) -> Found:
    declared = {item.get("where"): index for index, item in enumerate(document.differences)}
    if None not in declared and len(declared) != len(document.differences):
        yield "differences", "同一处的差额声明了两次"
    open_totals = set()
    for where, path, name, stated, added in _sums(document):
        if stated == added:
            continue
        open_totals.add(where)
        if where not in declared:
            yield (
                path,
                f"{name}合计{shown(added)}分,与所载{shown(stated)}分不符;原文如此的,请在 differences 中声明:"
                f'{{where: {where}, stated: "{shown(stated)}", sum: "{shown(added)}", reason: …}}',
            )
            continue
        item = document.differences[declared[where]]
        for field, actual in (("stated", stated), ("sum", added)):
            if _figure(item.get(field)) != actual:
                at = f"differences[{declared[where]}].{field}"
                yield at, f'声明的差额与实际不符:{where} 的 {field} 应为 "{shown(actual)}"'
    rows = {row.code: row for _, row in _rows(document)}
    for where, index in declared.items():
        words = str(where).split(" ")
        numbering = len(words) == 2 and words[0] == "numbering" and words[1] in rows
        if where is not None and where not in open_totals and not numbering:
            message = f"“{where}”没有差额,请删去或核对(可用:total、section 一、row 1.03、clause 1.03/2)"
            yield f"differences[{index}].where", message


def _figure(value: object) -> Decimal | None:
    try:
        return parse_points(value)
    except (PointsError, TypeError):
        return None
