"""The breakdown on paper and as a workbook: every paragraph once, merged as printed, numbers as numbers."""

import io
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from accounts.actors import Actor
from reports.breakdown import breakdown_workbook, printed_rows
from reports.xlsx import Book, Column, lines_of, number_format
from schemes.layout import lay_out
from schemes.operations import import_document
from tests.notices import jiaxing
from tests.world import make_task, world  # noqa: F401


def opened(content: bytes):
    return load_workbook(io.BytesIO(content))


def downloaded(answer):
    return opened(b"".join(answer.streaming_content))


@pytest.fixture(scope="module")
def book():
    return opened(breakdown_workbook(jiaxing()))


# ------------------------------------------------------------------ the wrapper


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "http://example.com", "mailto:a@b.c", "007", "\x07铃", "a" * 40_000]
)
def test_text_stays_text(text):
    book = Book("试")
    sheet = book.sheet("表", [Column("列", 20.0)])
    sheet.header()
    sheet.line([text])
    cell = opened(book.content()).active["A2"]
    assert cell.data_type == "s"
    assert cell.hyperlink is None
    assert str(cell.value)[:4] == text[:4] or "\x07" in text


def test_numbers_are_numbers_with_their_printed_decimals():
    book = Book("试")
    sheet = book.sheet("表", [Column("列", 20.0)] * 7)
    day, instant = date(2026, 9, 30), timezone.make_aware(datetime(2026, 9, 30, 8, 5))
    sheet.line([Decimal("0.25"), Decimal("18"), Decimal("2.50"), 7, day, instant, Decimal("0.1234567890123456789")])
    cells = opened(book.content()).active[1]
    assert [cell.value for cell in cells[:4]] == [0.25, 18, 2.5, 7]
    assert [cell.number_format for cell in cells[:4]] == ["0.00", "0", "0.00", "0"]
    assert cells[4].value == datetime(2026, 9, 30)
    assert cells[5].value == datetime(2026, 9, 30, 8, 5)
    assert cells[6].data_type == "s"  # more digits than a spreadsheet keeps
    assert number_format(Decimal("1E+2")) == "0"


@pytest.mark.parametrize("name", ["a/b:c*?[]\\", "", "'x'", "长" * 40])
def test_sheet_names_that_a_spreadsheet_accepts(name):
    book = Book("试")
    for _again in range(3):
        book.sheet(name, [Column("列", 9.0)]).line(["值"])
    names = opened(book.content()).sheetnames
    assert len(set(names)) == 3
    assert all(0 < len(entry) <= 31 for entry in names)


def test_a_chinese_character_is_two_columns_wide():
    assert lines_of("一二三四五", 11) == 1
    assert lines_of("一二三四五六", 11) == 2
    assert lines_of("a\nb", 80) == 2


# ------------------------------------------------------------------ the workbook


def test_the_workbook_has_the_notices_sheets_and_page_setup(book):
    assert book.sheetnames == ["责任分解表", "加分", "处室分值", "存疑"]
    sheet = book["责任分解表"]
    assert sheet.page_setup.orientation == "landscape"
    assert str(sheet.page_setup.paperSize) == "9"
    assert sheet.print_title_rows == "$1:$2"
    assert sheet.freeze_panes == "A3"
    assert [sheet.cell(2, column).value for column in (1, 4, 5, 6)] == ["项目", "内容", "分值", "责任部门"]


def test_every_paragraph_of_the_notice_is_there_in_order(book):
    sheet = book["责任分解表"]
    texts = [sheet.cell(row, 4).value for row in range(3, sheet.max_row + 1)]
    expected = []
    for row in jiaxing().rows:
        expected += [row.preamble] if row.preamble else []
        expected += [clause.text for clause in row.clauses]
    assert [text for text in texts if text] == expected


def test_points_are_numbers_that_add_up(book):
    sheet = book["责任分解表"]
    points = [sheet.cell(row, 5).value for row in range(3, sheet.max_row + 1)]
    points = [value for value in points if value is not None]
    assert all(isinstance(value, int | float) for value in points)
    assert len(points) == 67
    assert round(sum(points), 6) == 100
    summary = book["处室分值"]
    assert summary.cell(3, 1).value == "综合处"
    assert summary.cell(3, 5).value == 90.2
    assert summary.cell(summary.max_row, 5).value == 100


def test_merged_cells_do_not_overlap_and_reach_the_last_column(book):
    sheet = book["责任分解表"]
    covered = set()
    for merged in sheet.merged_cells.ranges:
        cells = {(row, column) for row, column in merged.cells}
        assert not covered & cells
        covered |= cells
    assert any(merged.max_row - merged.min_row > 40 for merged in sheet.merged_cells.ranges)  # 年度重点工作


def test_printed_rows_fill_every_column():
    layout = lay_out(jiaxing())
    for part in layout.parts:
        rows = printed_rows(part.lines)
        filled = [0] * len(rows)
        for index, printed in enumerate(rows):
            for cell in printed.paths:
                for row in range(index, index + cell.rows):
                    filled[row] += cell.columns
        assert filled == [layout.columns] * len(rows)


# ------------------------------------------------------------------ the pages


@pytest.mark.django_db
def test_paper_and_workbook_of_the_real_notice(world, django_assert_max_num_queries):  # noqa: F811
    version = import_document(document=jiaxing(), actor=Actor.system("test"), at=timezone.now())
    client = world.client("clerk")
    paper_url = reverse("reports:breakdown_print", args=[version.pk])
    client.get(paper_url)
    with django_assert_max_num_queries(15):
        answer = client.get(paper_url)
    html = answer.content.decode()
    assert "zr-sheet--landscape" in html
    assert "未下达" in html
    assert html.count("<thead>") == 3
    assert "（合并单元格推定）" in html
    answer = client.get(reverse("reports:breakdown_xlsx", args=[version.pk]))
    assert "filename*=utf-8''" in answer["Content-Disposition"]
    assert downloaded(answer).sheetnames[0] == "责任分解表"


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["administrator", "auditor"])
def test_no_paper_for_those_without_business(world, role):  # noqa: F811
    for name in ("breakdown_print", "breakdown_xlsx"):
        assert world.client(role).get(reverse(f"reports:{name}", args=[world.version.pk])).status_code == 404


@pytest.mark.django_db
def test_what_is_not_there_is_not_found(world):  # noqa: F811
    assert world.client("clerk").get(reverse("reports:breakdown_xlsx", args=[10**9])).status_code == 404


@pytest.mark.django_db
def test_the_late_list_as_a_workbook(world):  # noqa: F811
    due = world.now - timedelta(days=30)
    make_task(world, world.own, "accepted", key="a", due_at=due, title="=cmd|' /C calc'!A0", points=Decimal("0.25"))
    make_task(world, world.other, "accepted", key="b", due_at=due, title="他处")
    client = world.client("coordinator")
    sheet = downloaded(client.get(reverse("reports:late_xlsx"))).active
    assert sheet.max_row == 4
    sheet = downloaded(client.get(reverse("reports:late_xlsx") + f"?office={world.own.office.pk}")).active
    assert sheet.max_row == 3
    assert sheet["B3"].value == "=cmd|' /C calc'!A0"
    assert sheet["B3"].data_type == "s"
    assert sheet["I3"].value == 0.25
    assert sheet["G3"].value >= 15
    assert isinstance(sheet["F3"].value, datetime)
