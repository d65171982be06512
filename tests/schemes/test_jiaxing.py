"""The real notice as data, counted against the notice's own text."""

import json
import re
from collections import Counter
from decimal import Decimal

import pytest

from schemes.document import document_export
from schemes.queries import office_points
from scoring.rules import parse_rule
from tests.notices import SOURCE, jiaxing, source_lines

ROWS = jiaxing().rows
CLAUSES = [clause for row in ROWS for clause in row.clauses]


def row(code):
    return next(row for row in ROWS if row.code == code)


def export_row(code):
    return next(
        row for section in document_export(jiaxing())["sections"] for row in section["rows"] if row["id"] == code
    )


def test_sections_and_rows():
    sections = jiaxing().sections
    assert [(section.no, section.points, len(section.rows)) for section in sections] == [
        ("一", Decimal(42), 24),
        ("二", Decimal(36), 35),
        ("三", Decimal(22), 8),
    ]
    assert sum(row.points for row in ROWS) == 100
    assert (ROWS[0].code, ROWS[23].code, ROWS[24].code, ROWS[-1].code) == ("1.01", "1.24", "2.01", "3.08")


def test_points_of_the_rows_in_their_order():
    first = "18 2 2.5 1 1 0.5 1 1 0.5 1 1 0.5 1 2 1 1 0.3 0.2 1 2 1 1.5 0.5 0.5"
    last = "5 3 2 3 3 2 2 2"
    for section, printed in ((jiaxing().sections[0], first), (jiaxing().sections[2], last)):
        assert [row.points for row in section.rows] == [Decimal(points) for points in printed.split()]


def test_clauses_and_figures():
    assert len(CLAUSES) == 215
    assert Counter(clause.no is None for clause in CLAUSES) == {False: 197, True: 18}
    assert sum(clause.points is not None and not clause.points_from_parts for clause in CLAUSES) == 143
    assert [clause.line for clause in CLAUSES if clause.points_from_parts] == [252, 284, 344, 732]
    assert sum(clause.points is None for clause in CLAUSES) == 68


def test_the_37_rows_with_clause_figures_close():
    with_figures = [row for row in ROWS if any(clause.points is not None for clause in row.clauses)]
    assert len(with_figures) == 37
    for row in with_figures:
        assert sum(clause.points or 0 for clause in row.clauses) == row.points, row.code
    for clause in CLAUSES:
        if clause.parts:
            assert sum(Decimal(part["points"]) for part in clause.parts) == clause.points


def stated(line):
    """A line of the source; a paragraph that the page broke goes on in the next lines."""
    return source_lines()[line - 1].strip()


def test_texts_are_those_of_the_notice():
    whole = re.sub(r"\s", "", SOURCE.read_text())
    for row in ROWS:
        assert re.sub(r"\s", "", row.preamble or "") in whole
        for clause in row.clauses:
            assert clause.text.startswith(stated(clause.line)[:40]) or stated(clause.line) in clause.text, clause.line
            assert re.sub(r"\s", "", clause.text) in whole, clause.line
        if row.points_line:
            assert Decimal(stated(row.points_line)) == row.points
        for label in row.path:
            assert re.sub(r"\s", "", label) in whole, label
    for section in jiaxing().sections:
        assert stated(section.line).startswith(f"{section.no}、{section.title}")


def test_offices_stand_where_they_are_printed():
    for row in ROWS:
        for office in row.offices:
            assert office.name in stated(office.line), (row.code, office)
            assert office.inherited == (office.line < row.line and office.line < row.points_line), row.code


def test_doubts_quote_the_notice():
    assert len({doubt.id for doubt in jiaxing().doubts}) == len(jiaxing().doubts) > 60
    whole = re.sub(r"\s", "", SOURCE.read_text())
    for doubt in jiaxing().doubts:
        assert re.sub(r"\s", "", doubt.quote) in whole, doubt
    for question in ("2017913", "20171120171231日", "〔201738号"):
        assert any(question in doubt.quote for doubt in jiaxing().doubts)


@pytest.mark.parametrize(
    ("code", "offices"),
    [
        ("1.12", {"监督协调处": (1,), "综合处": (2,)}),
        ("1.20", {"监督协调处": (1, 2), "综合处": (3,)}),
        ("1.21", {"机关党支部": (1, 3), "综合处": (2,)}),
        ("1.22", {"机关党支部": (1, 2, 3, 4), "综合处": (5, 6, 7, 8, 9)}),
        ("2.03", {"综合处": (1, 2, 3), "机关党支部": (4, 5, 6)}),
    ],
)
def test_offices_of_single_clauses(code, offices):
    assert {office.name: office.clauses for office in row(code).offices} == offices


def test_patterns_of_responsibility():
    inherited = [row.code for row in ROWS if any(office.inherited for office in row.offices)]
    assert inherited == ["2.08", *(f"2.{n}" for n in range(10, 15)), *(f"3.0{n}" for n in range(2, 9))]
    shared = [row for row in ROWS if [office.role for office in row.offices] == ["provide", "collect"]]
    assert len(shared) == 21
    assert {tuple(office.name for office in row.offices) for row in shared} == {("各处", "综合处")}
    assert all([office.role for office in row.offices] == ["implement"] for row in jiaxing().sections[2].rows)


def test_points_by_office():
    found = office_points(jiaxing())
    whole = found.offices["综合处"]
    assert (whole.responsible, whole.collect, whole.implement) == (Decimal("50.20"), Decimal(18), Decimal(22))
    assert {name: line.total for name, line in found.offices.items()} == {
        "综合处": Decimal("90.20"),
        "登记管理处": Decimal("3.5"),
        "机关党支部": Decimal("3.3"),
        "监督协调处": Decimal("1.5"),
    }
    assert (found.undivided, found.undivided_rows, found.total) == (Decimal("1.5"), ["2.03"], 100)


def test_every_printed_deduction_is_a_rule():
    """117 numeric deduction figures: 115 after 扣 and two whose 扣 is lost (L410, L586)."""
    figures = 0
    for rule in (rule for row in ROWS for place in (row, *row.clauses) for rule in place.rules):
        data = rule.data
        if rule.kind.startswith("deduct"):
            figures += sum(name in data for name in ("amount",))
            figures += sum("amount" in tier for tier in data.get("tiers", ()))
            figures += len(data.get("levels", ()))
    assert figures == 117
    ids = [rule.id for row in ROWS for place in (row, *row.clauses) for rule in place.rules]
    assert len(ids) == len(set(ids))
    for row in ROWS:
        for rule in row.rules:
            parse_rule(rule.data)


def test_export_follows_its_contract():
    found = json.loads(json.dumps(document_export(jiaxing())))
    assert (found["key"], found["year"], found["issued_on"]) == ("jiaxing-2017", 2017, "2017-09-13")
    row = export_row("1.03")
    assert (row["points"], row["preamble"], row["path"][0]) == ("2.5", None, "年度重点工作")
    assert [office["role"] for office in row["offices"]] == ["provide", "collect"]
    clause = row["clauses"][6]
    assert (clause["no"], clause["line"], clause["points"]) == (7, 88, "0.2")
    assert [deadline["due"] for deadline in clause["deadlines"]] == ["2017-05-31", "2017-08-31"]
    monthly = export_row("1.15")["clauses"][3]["deadlines"]
    assert {deadline["kind"]: deadline["due"] for deadline in monthly} == {
        "monthly_next": None,
        "vague": None,
        "year_end": "2017-12-31",
    }
    assert export_row("1.02")["preamble"].startswith("按照2017年度全市全面深化改革")
    assert export_row("1.02")["rules"][0]["kind"] == "scale_external"
    assert export_row("1.01")["clauses"][0]["no"] is None
    assert export_row("2.08")["offices"][0]["inherited"] is True
    assert (found["bonus"]["cap"], found["bonus"]["window"]) == ("0.5", ["2017-01-01", "2017-12-31"])
    assert len(found["bonus"]["rows"]) == 6


def test_worked_cases_of_reading():
    assert row("1.12").clauses[0].points == Decimal("0.1")  # L250 扣0.05(0. 1)
    assert row("1.12").clauses[0].rules[0].data["amount"] == "0.05"
    cut = row("2.25").clauses[0].measures  # L866 分别下降2.3%2.1%
    assert [measure["target"] for measure in cut] == ["2.3", "2.1", "3.5"]
    assert [row.points for row in ROWS if row.code in ("2.26", "2.27", "2.28", "2.29")] == [
        Decimal(1),
        Decimal("0.5"),
        Decimal("0.4"),
        Decimal("0.1"),
    ]
