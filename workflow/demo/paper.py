"""Small real files to attach: a spreadsheet, a PDF and a note."""

import io

import xlsxwriter
from django.core.files.uploadedfile import SimpleUploadedFile


def spreadsheet(*, name: str, rows: list[list[str]]) -> SimpleUploadedFile:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    sheet = book.add_worksheet("台账")
    for r, row in enumerate(rows):
        for c, value in enumerate(row):
            sheet.write_string(r, c, value)
    sheet.set_column(0, 6, 18)
    book.close()
    return SimpleUploadedFile(name, buffer.getvalue())


def pdf(*, name: str, title: str) -> SimpleUploadedFile:
    """A one-page PDF. Latin letters only: the standard fonts hold no Chinese, and the file stays tiny."""
    stream = f"BT /F1 18 Tf 72 770 Td ({title}) Tj 0 -30 Td /F1 11 Tf (Zeren demonstration evidence) Tj ET".encode(
        "ascii"
    )
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for offset in offsets:
        out += b"%010d 00000 n \n" % offset
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return SimpleUploadedFile(name, bytes(out))


def note(*, name: str, text: str) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, text.encode())
