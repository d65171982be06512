"""The breakdown (责任分解表) on paper and as a workbook: one layout, one printed row per paragraph of the notice.

A row per paragraph lets long cells break across pages between paragraphs; the cells beside it stay merged.
"""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from reports.xlsx import LINE_HEIGHT, Book, Column, Sheet, lines_of, plain
from schemes.document import Document
from schemes.layout import Cell, Line, Paragraph, lay_out
from schemes.layout import Sheet as Layout
from schemes.queries import office_points
from schemes.reading import points_table

PATH_WIDTH, TEXT_WIDTH, POINTS_WIDTH, OFFICE_WIDTH = 15.0, 78.0, 8.0, 22.0


@dataclass(frozen=True)
class PrintedCell:
    text: str
    rows: int
    columns: int


@dataclass(frozen=True)
class PrintedRow:
    """One paragraph. `line` only on the first paragraph of a row: its points and offices span `span` paragraphs."""

    paths: tuple[PrintedCell, ...]
    paragraph: Paragraph | None
    line: Line | None
    span: int


def paragraphs_of(line: Line) -> list[Paragraph]:
    """The paragraphs that are printed: a preamble without words (a row's own rule) is not."""
    found = [line.preamble] if line.preamble and line.preamble.text else []
    return [*found, *line.paragraphs]


def paper_rows(lines: tuple[Line, ...], *, columns: int) -> list[list[PrintedRow]]:
    """The rows of a section, one list for each row of the notice, each with its labels in full.

    On paper a cell merged over a page's length keeps the whole group from breaking, and the page before stays empty.
    """
    groups = []
    for line in lines:
        paragraphs = paragraphs_of(line) or [None]
        labels = line.row.path
        paths = tuple(
            PrintedCell(label, len(paragraphs), columns - index if index == len(labels) - 1 else 1)
            for index, label in enumerate(labels)
        )
        groups.append(
            [
                PrintedRow(paths if order == 0 else (), paragraph, line if order == 0 else None, len(paragraphs))
                for order, paragraph in enumerate(paragraphs)
            ]
        )
    return groups


def printed_rows(lines: tuple[Line, ...]) -> list[PrintedRow]:
    """The rows of a section, with the merged cells counted in paragraphs."""
    sizes = [max(1, len(paragraphs_of(line))) for line in lines]

    def cell(index: int, begins: Cell) -> PrintedCell:
        return PrintedCell(begins.text, sum(sizes[index : index + begins.rows]), begins.columns)

    rows = []
    for index, line in enumerate(lines):
        paths = tuple(cell(index, begins) for begins in line.cells)
        for order, paragraph in enumerate(paragraphs_of(line) or [None]):
            first = order == 0
            rows.append(PrintedRow(paths if first else (), paragraph, line if first else None, sizes[index]))
    return rows


def office_text(line: Line) -> str:
    inherited = _("(合并单元格推定)")
    return "\n".join(office.printed + (inherited if office.inherited else "") for office in line.offices)


def breakdown_context(document: Document) -> dict:
    """What templates/print/breakdown.html prints."""
    layout = lay_out(document)
    return {
        "layout": layout,
        "document": document,
        "parts": [(part, paper_rows(part.lines, columns=layout.columns)) for part in layout.parts],
        "all_columns": layout.columns + 3,
        "points": points_table(document),
    }


# ------------------------------------------------------------------ the workbook


def breakdown_workbook(document: Document) -> bytes:
    layout = lay_out(document)
    book = Book(document.title)
    _table_sheet(book, layout)
    if layout.bonus:
        _bonus_sheet(book, layout)
    _points_sheet(book, document)
    if layout.doubts:
        _doubt_sheet(book, layout)
    return book.content()


def _table_sheet(book: Book, layout: Layout) -> None:
    depth = layout.columns
    columns = [Column(_("项目"), PATH_WIDTH) for _index in range(depth)]
    columns += [
        Column(_("内容"), TEXT_WIDTH),
        Column(_("分值"), POINTS_WIDTH, "center"),
        Column(_("责任部门"), OFFICE_WIDTH),
    ]
    sheet = book.sheet(_("责任分解表"), columns, title=layout.document.title)
    sheet.header(spans=[(0, depth - 1)] if depth > 1 else [])
    for part in layout.parts:
        points = _("(分值:{points})").format(points=part.points) if part.points else ""
        sheet.banner(f"{part.no}、{part.title}{points}", bold=True, bg_color="#F1F4F9")
        _rows(sheet, printed_rows(part.lines), depth)


def _rows(sheet: Sheet, rows: list[PrintedRow], depth: int) -> None:
    for printed in rows:
        row = sheet.row
        text = printed.paragraph.text if printed.paragraph else ""
        sheet.put(row, depth, text, valign="vcenter")
        least = 0.0
        for cell in printed.paths:
            column = depth - _depth_left(printed, cell)
            sheet.merged(row, column, row + cell.rows - 1, column + cell.columns - 1, cell.text, align="center")
            least = max(least, _share(cell.text, PATH_WIDTH * cell.columns, cell.rows))
        if printed.line is not None:
            offices = office_text(printed.line)
            last = row + printed.span - 1
            points = printed.line.row.points
            points = None if points is None else plain(points)
            sheet.merged(row, depth + 1, last, depth + 1, points, align="center")
            sheet.merged(row, depth + 2, last, depth + 2, offices, align="center")
            least = max(least, _share(offices, OFFICE_WIDTH, printed.span))
        sheet.height(row, [(text, TEXT_WIDTH)], least=least)
        sheet.row += 1


def _depth_left(printed: PrintedRow, cell: PrintedCell) -> int:
    """Columns from the cell's own to the end of the 项目 columns: cells that begin here always reach the end."""
    position = printed.paths.index(cell)
    return sum(entry.columns for entry in printed.paths[position:])


def _share(text: str, width: float, rows: int) -> float:
    """The height that each of so many rows has to give, for a merged text to fit."""
    return (lines_of(text, width) * LINE_HEIGHT + 4) / rows


def _bonus_sheet(book: Book, layout: Layout) -> None:
    bonus = layout.bonus
    columns = [Column(_("项目"), 20.0), Column(_("内容"), 70.0), Column(_("加分"), 50.0)]
    sheet = book.sheet(bonus.title, columns, title=f"{layout.document.title}{bonus.title}")
    sheet.header()
    for line in bonus.lines:
        for cell in line.cells[:1]:
            sheet.merged(sheet.row, 0, sheet.row + cell.rows - 1, 0, cell.text, align="center")
        words = "\n".join(rule.sentence for rule in line.rules)
        sheet.put(sheet.row, 1, line.text)
        sheet.put(sheet.row, 2, words)
        sheet.height(sheet.row, [(line.text, 70.0), (words, 50.0)])
        sheet.row += 1
    notes = [_("最多加 {cap} 分").format(cap=bonus.cap)]
    if bonus.window:
        notes.append(_("期间:{window}").format(window=bonus.window))
    if bonus.offices:
        notes.append(_("责任部门:{offices}").format(offices=",".join(office.printed for office in bonus.offices)))
    for note in (*notes, *bonus.notes):
        sheet.banner(note, border=0)


def _points_sheet(book: Book, document: Document) -> None:
    points = office_points(document)
    columns = [
        Column(_("责任部门"), 30.0),
        Column(_("责任"), 12.0, "right"),
        Column(_("负责上报"), 12.0, "right"),
        Column(_("具体实施"), 12.0, "right"),
        Column(_("合计"), 12.0, "right"),
    ]
    sheet = book.sheet(_("处室分值"), columns, landscape=False, title=_("各处室承担的分值"))
    sheet.header()
    for name, line in points.offices.items():
        figures = (line.responsible, line.collect, line.implement, line.total)
        sheet.line([name, *(plain(figure) if figure else None for figure in figures)])
    if points.undivided_rows:
        rows = _("、").join(points.undivided_rows)
        sheet.line([_("原文未分到各处室({rows})").format(rows=rows), None, None, None, plain(points.undivided)])
    sheet.line([_("合计"), None, None, None, plain(points.total)], bold=True)


def _doubt_sheet(book: Book, layout: Layout) -> None:
    columns = [
        Column(_("编号"), 9.0),
        Column(_("位置"), 10.0),
        Column(_("种类"), 16.0),
        Column(_("原句"), 36.0),
        Column(_("疑问"), 46.0),
        Column(_("读作"), 46.0),
    ]
    sheet = book.sheet(_("存疑"), columns, title=_("存疑与采用的读法"))
    sheet.header()
    for line in layout.doubts:
        doubt = line.doubt
        sheet.line([doubt.id, doubt.where or _("全文"), line.kind_word, doubt.quote, doubt.question, doubt.reading])
