"""One wrapper around XlsxWriter, so that every workbook opens the same way in Excel and WPS.

Text stays text: nothing typed by anybody becomes a formula or a link. Numbers are numbers, with their printed decimals.
Row heights are reckoned here, because neither program grows a row for a merged cell.
"""

import io
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

import xlsxwriter
from django.utils import timezone

from scoring.points import format_points

A4 = 9
MAX_TEXT = 32_767
EXACT_DIGITS = 15  # what a spreadsheet keeps of a number
LINE_HEIGHT = 16.0
MAX_HEIGHT = 409.0
CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FONT = "宋体"
FORBIDDEN = re.compile(r"[\[\]:*?/\\]")

Value = str | int | Decimal | date | datetime | None


def text_width(text: str) -> int:
    """Columns a line takes: a Chinese character counts two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def lines_of(text: str, width: float) -> int:
    """Printed lines of a wrapped text in a column of that width."""
    room = max(1, int(width) - 1)
    if len(text) * 2 <= room and "\n" not in text:
        return 1
    return sum(max(1, math.ceil(text_width(line) / room)) for line in text.split("\n"))


def number_format(value: Decimal | int) -> str:
    """As many decimals as the figure has: 0, 0.0, 0.00 …"""
    if isinstance(value, int):
        return "0"
    places = max(0, -value.as_tuple().exponent)
    return "0." + "0" * places if places else "0"


def plain(value: Decimal) -> Decimal:
    """The figure as printed: a database pads 2.5 to 2.500000."""
    return Decimal(format_points(value))


@dataclass
class Column:
    """`width` in characters of the narrow kind."""

    label: str
    width: float
    align: str = "left"


@dataclass
class Book:
    """A workbook in memory. Sheets are made by `sheet`, the bytes come from `content`."""

    title: str
    _buffer: io.BytesIO = field(default_factory=io.BytesIO)

    def __post_init__(self) -> None:
        self._book = xlsxwriter.Workbook(
            self._buffer,
            {
                "in_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "nan_inf_to_errors": False,
            },
        )
        self._book.set_properties({"title": self.title})
        self._formats: dict[tuple, object] = {}
        self._names: set[str] = set()

    def format(self, **properties: object):
        """The format of these properties; the same properties share one."""
        base = {"font_name": FONT, "font_size": 10, "valign": "vcenter", "text_wrap": True, "border": 1}
        key = tuple(sorted(properties.items()))
        if key not in self._formats:
            self._formats[key] = self._book.add_format(base | properties)
        return self._formats[key]

    def _name(self, wanted: str) -> str:
        name = FORBIDDEN.sub(" ", wanted).strip(" '")[:31] or "表"
        number = 2
        while name.lower() in self._names:
            name, number = f"{name[:28]}_{number}", number + 1
        self._names.add(name.lower())
        return name

    def sheet(self, name: str, columns: Sequence[Column], *, landscape: bool = True, title: str = "") -> "Sheet":
        return Sheet(self, self._book.add_worksheet(self._name(name)), columns, landscape=landscape, title=title)

    def content(self) -> bytes:
        self._book.close()
        return self._buffer.getvalue()


class Sheet:
    """A sheet that is written from top to bottom: title, header, rows."""

    def __init__(self, book: Book, worksheet, columns: Sequence[Column], *, landscape: bool, title: str) -> None:
        self.book, self.worksheet, self.columns = book, worksheet, list(columns)
        self.row = 0
        self._plain_styles: dict[tuple[int, bool], object] = {}
        for index, column in enumerate(self.columns):
            worksheet.set_column(index, index, column.width)
        worksheet.set_paper(A4)
        worksheet.set_landscape() if landscape else worksheet.set_portrait()
        worksheet.fit_to_pages(1, 0)
        worksheet.set_margins(left=0.5, right=0.5, top=0.6, bottom=0.7)
        worksheet.set_footer("&C&P / &N")
        worksheet.center_horizontally()
        if title:
            self.banner(title, bold=True, font_size=15, align="center", border=0)

    def banner(self, text: str, *, height: float = 0, **properties: object) -> None:
        """One line across all columns."""
        style = self.book.format(**properties)
        last = len(self.columns) - 1
        if last:
            self.worksheet.merge_range(self.row, 0, self.row, last, "", style)
        self.put(self.row, 0, text, style)
        width = sum(column.width for column in self.columns)
        size = float(properties.get("font_size", 10)) / 10
        self.worksheet.set_row(
            self.row, height or min(MAX_HEIGHT, lines_of(text, width / size) * LINE_HEIGHT * size + 6)
        )
        self.row += 1

    def header(self, *, spans: Sequence[tuple[int, int]] = ()) -> None:
        """The header row, repeated on every printed page and kept in view. `spans`: (first, last) columns under the
        label of the first."""
        style = self.book.format(bold=True, align="center", bg_color="#E3EAF4")
        covered = {column for first, last in spans for column in range(first, last + 1)}
        for first, last in spans:
            self._merge(self.row, first, self.row, last, self.columns[first].label, style)
        for index, column in enumerate(self.columns):
            if index not in covered:
                self.worksheet.write_string(self.row, index, column.label, style)
        self.worksheet.set_row(self.row, 22)
        self.worksheet.repeat_rows(0, self.row)
        self.worksheet.freeze_panes(self.row + 1, 0)
        self.row += 1

    def line(self, values: Sequence[Value], *, bold: bool = False) -> None:
        """A plain row."""
        texts = []
        for index, (column, value) in enumerate(zip(self.columns, values, strict=True)):
            if isinstance(value, str) and value and len(value) <= MAX_TEXT:
                # most cells of a long list, without looking up a format for each
                style = self._plain_styles.get((index, bold))
                if style is None:
                    style = self._plain_styles[index, bold] = self.book.format(align=column.align, bold=bold)
                self.worksheet.write_string(self.row, index, value, style)
                texts.append((value, column.width))
            else:
                self.put(self.row, index, value, align=column.align, bold=bold)
        self.height(self.row, texts)
        self.row += 1

    def height(self, row: int, texts: Sequence[tuple[str, float]], *, least: float = 0) -> None:
        lines = max((lines_of(text, width) for text, width in texts), default=1)
        self.worksheet.set_row(row, min(MAX_HEIGHT, max(least, lines * LINE_HEIGHT + 4)))

    def put(self, row: int, column: int, value: Value, style=None, **properties: object) -> None:
        """One cell by the kind of its value."""
        if isinstance(value, bool):
            value = str(value)
        if isinstance(value, Decimal | int):
            if len(Decimal(value).as_tuple().digits) <= EXACT_DIGITS:
                style = style or self.book.format(**{"num_format": number_format(value), **properties})
                self.worksheet.write_number(row, column, float(value), style)
                return
            value = str(value)
        if isinstance(value, datetime):
            value = timezone.localtime(value).replace(tzinfo=None) if timezone.is_aware(value) else value
            style = style or self.book.format(**{"num_format": "yyyy-mm-dd hh:mm", **properties})
            self.worksheet.write_datetime(row, column, value, style)
        elif isinstance(value, date):
            style = style or self.book.format(**{"num_format": "yyyy-mm-dd", **properties})
            self.worksheet.write_datetime(row, column, datetime(value.year, value.month, value.day), style)
        elif value is None or value == "":
            self.worksheet.write_blank(row, column, None, style or self.book.format(**properties))
        else:
            text = str(value)
            text = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
            self.worksheet.write_string(row, column, text, style or self.book.format(**properties))

    def merged(self, first_row: int, first: int, last_row: int, last: int, value: Value, **properties: object) -> None:
        """A merged cell, or a plain one where there is nothing to merge."""
        if isinstance(value, Decimal | int) and "num_format" not in properties:
            properties["num_format"] = number_format(value)
        style = self.book.format(**properties)
        if (first_row, first) == (last_row, last):
            self.put(first_row, first, value, style)
        else:
            self._merge(first_row, first, last_row, last, value, style)

    def _merge(self, first_row: int, first: int, last_row: int, last: int, value: Value, style) -> None:
        self.worksheet.merge_range(first_row, first, last_row, last, "", style)
        self.put(first_row, first, value, style)
