"""The upload gate: hostile files and names, on a real disk; good files of every kind get through."""

import hashlib
import io
import itertools
import os
import random
import resource
import struct
import sys
import time
import unicodedata
import zipfile
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
import xlsxwriter
from django.conf import settings
from django.core.files.uploadedfile import InMemoryUploadedFile, SimpleUploadedFile, TemporaryUploadedFile
from django.utils import timezone
from django.utils.http import content_disposition_header

from accounts.errors import Refusal
from tasks import files
from tasks.errors import FileRefused
from tasks.models import Blob, Evidence
from tasks.operations import add_evidence
from workflow.demo import paper

CONTENT_TYPES = b'<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
EXE = b"MZ\x90\x00\x03\x00\x00\x00" + bytes(range(256)) * 4
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 64
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\x00" * 64
GIF = b"GIF89a" + b"\x00" * 64
WEBP = b"RIFF\x40\x00\x00\x00WEBPVP8 " + b"\x00" * 64
OLE = files.OLE_MAGIC + b"\x00" * 504
PDF = paper.pdf(name="a.pdf", title="A").read()
HTML = b"<!doctype html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


# ------------------------------------------------------------------ making files


def zipped(members: dict[str | zipfile.ZipInfo, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def docx(more: dict | None = None) -> bytes:
    document = "<w:document><w:body><w:p>工作总结</w:p></w:body></w:document>".encode()
    return zipped({"[Content_Types].xml": CONTENT_TYPES, "word/document.xml": document} | (more or {}))


def xlsx() -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        book.add_worksheet("台账").write_string(0, 0, "序号")
    return out.getvalue()


def pptx() -> bytes:
    return zipped({"[Content_Types].xml": CONTENT_TYPES, "ppt/presentation.xml": b"<p:presentation/>"})


def ofd() -> bytes:
    return zipped({"OFD.xml": b"<ofd:OFD/>", "Doc_0/Document.xml": b"<ofd:Document/>"})


def entry(name: str, *, mode: int = 0, **changes) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    for key, value in changes.items():
        setattr(info, key, value)
    return info


def twice(name: str) -> bytes:
    out = io.BytesIO(docx())
    with zipfile.ZipFile(out, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(name, b"x")
    return out.getvalue()


def patched(content: bytes, name: bytes, *, at: int, put: bytes) -> bytes:
    """Change the directory's record of an entry (not the entry itself)."""
    start = content.rindex(b"PK\x01\x02", 0, content.rindex(name))
    return content[: start + at] + put + content[start + at + len(put) :]


def renamed(old: str, new: str) -> bytes:
    """A package with an entry whose name a zip library would not write."""
    assert len(old.encode()) == len(new.encode())
    return docx({old: b"x"}).replace(old.encode(), new.encode())


def directory_of(count: int) -> bytes:
    """A zip that is nearly nothing but its directory."""
    record = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 0, 20, 0, *[0] * 7, 1, *[0] * 6) + b"a"
    head = b"PK\x03\x04" + bytes(26)
    counted = min(count, 0xFFFF)
    return head + record * count + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, counted, counted, len(record) * count, len(head), 0)  # fmt: skip  # noqa: E501


def overlapping() -> bytes:
    """Two hundred entries that all lie in the same bytes: each unpacks, the file is small."""
    content = zipped({"[Content_Types].xml": CONTENT_TYPES, "word/document.xml": random.Random(1).randbytes(100_000)})
    start, end = content.index(b"PK\x01\x02"), content.rindex(b"PK\x05\x06")
    last = content[content.rindex(b"PK\x01\x02") : end]
    records = [last.replace(b"word/document.xml", b"word/d%07d.xml" % n) for n in range(200)]
    whole = content[start:end] + b"".join(records)
    return content[:start] + whole + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 202, 202, len(whole), start, 0)


# ------------------------------------------------------------------ what is refused

SYMLINK = 0o120777
UNSAFE, MACRO, BROKEN, LYING, KIND = "不安全", "宏或程序", "已损坏", "不符", "不在允许之列"
HOSTILE = {
    # archives
    "bomb by ratio": ("表.docx", lambda: docx({"word/big.xml": bytes(30 << 20)}), UNSAFE),
    "bomb by size": ("表.docx", lambda: patched(docx(), b"word/document.xml", at=24, put=b"\xff\xff\xff\x7f"), UNSAFE),
    "many entries": ("表.docx", lambda: docx({f"word/{n}": b"" for n in range(6000)}), UNSAFE),
    "nothing but directory": ("表.docx", lambda: directory_of(400_000), UNSAFE),
    "overlapping entries": ("表.docx", overlapping, UNSAFE),
    "path up": ("表.docx", lambda: docx({"../evil.xml": b"x"}), UNSAFE),
    "path up inside": ("表.docx", lambda: docx({"word/../../evil.xml": b"x"}), UNSAFE),
    "path up of Windows": ("表.xlsx", lambda: docx({"xl/..\\..\\evil.xml": b"x"}), UNSAFE),
    "absolute path": ("表.docx", lambda: docx({"/etc/cron.d/evil": b"x"}), UNSAFE),
    "network path": ("表.docx", lambda: docx({"\\\\server\\share\\a": b"x"}), UNSAFE),
    "drive": ("表.docx", lambda: docx({"C:\\evil.xml": b"x"}), UNSAFE),
    "drive with slash": ("表.docx", lambda: docx({"c:/evil.xml": b"x"}), UNSAFE),
    "symlink": ("表.docx", lambda: docx({entry("word/link", mode=SYMLINK): b"/etc/passwd"}), UNSAFE),
    "encrypted": ("表.docx", lambda: patched(docx(), b"word/document.xml", at=8, put=b"\x01\x00"), UNSAFE),
    "same name twice": ("表.docx", lambda: twice("word/document.xml"), UNSAFE),
    "same name in other case": ("表.docx", lambda: docx({"WORD/Document.XML": b"x"}), UNSAFE),
    "same name with other slash": ("表.docx", lambda: docx({"word\\document.xml": b"x"}), UNSAFE),
    "NUL in a name": ("表.docx", lambda: renamed("word/evil_exe.xml", "word/evil\x00exe.xml"), UNSAFE),
    "macro": ("表.docx", lambda: docx({"word/vbaProject.bin": b"x"}), MACRO),
    "macro in capitals": ("表.docx", lambda: docx({"word/VBAPROJECT.BIN": b"x"}), MACRO),
    "program": ("表.docx", lambda: docx({"word/setup.exe": EXE}), MACRO),
    "program with a dot": ("表.docx", lambda: docx({"word/setup.exe. ": EXE}), MACRO),
    "library": ("表.docx", lambda: docx({"word/a.DLL": EXE}), MACRO),
    "screen saver": ("表.docx", lambda: docx({"word/a.scr": EXE}), MACRO),
    "script": ("表.docx", lambda: docx({"word/a.ps1": b"x"}), MACRO),
    "shortcut": ("表.docx", lambda: docx({"word/a.lnk": b"x"}), MACRO),
    "web application": ("表.docx", lambda: docx({"word/a.hta": b"x"}), MACRO),
    "truncated": ("表.docx", lambda: docx()[:-30], BROKEN),
    "truncated in the middle": ("表.xlsx", lambda: xlsx()[:2000], BROKEN),
    "only the beginning": ("表.docx", lambda: b"PK\x03\x04" + b"x" * 500, BROKEN),
    "directory elsewhere": ("表.docx", lambda: docx()[:-6] + b"\xff\xff\xff\xff\x00\x00", BROKEN),
    "needs a newer reader": ("表.docx", lambda: patched(docx(), b"word/document.xml", at=6, put=b"\xff\x00"), BROKEN),
    "plain zip": ("表.docx", lambda: zipped({"a.txt": b"x"}), LYING),
    "no content types": ("表.docx", lambda: zipped({"word/document.xml": b"x"}), LYING),
    "program before the zip": ("表.docx", lambda: EXE + docx(), LYING),
    "xlsx named docx": ("表.docx", xlsx, LYING),
    "docx named xlsx": ("表.xlsx", docx, LYING),
    "docx named pptx": ("表.pptx", docx, LYING),
    "docx named ofd": ("表.ofd", docx, LYING),
    "ofd named docx": ("表.docx", ofd, LYING),
    # other kinds
    "html named pdf": ("网页.pdf", lambda: HTML, LYING),
    "pdf after rubbish": ("网页.pdf", lambda: HTML + PDF, LYING),
    "html named png": ("图.png", lambda: HTML, LYING),
    "svg named png": ("图.png", lambda: SVG, LYING),
    "jpeg named png": ("图.png", lambda: JPEG, LYING),
    "png named jpg": ("图.jpg", lambda: PNG, LYING),
    "bitmap named gif": ("图.gif", lambda: b"BM" + b"\x00" * 64, LYING),
    "sound named webp": ("图.webp", lambda: b"RIFF\x40\x00\x00\x00WAVEfmt " + b"\x00" * 64, LYING),
    "rtf named doc": ("文.doc", lambda: b"{\\rtf1}", LYING),
    "html named xls": ("表.xls", lambda: HTML, LYING),
    "text with NUL": ("说明.txt", lambda: b"abc\x00def", LYING),
    "text with NUL far inside": ("说明.txt", lambda: b"a" * 3_000_000 + b"\x00", LYING),
    "text that turns into rubbish": ("说明.txt", lambda: b"a" * 100_000 + b"\xff\xff\xff", LYING),
    "short rubbish as text": ("说明.txt", lambda: b"MZ\xff\xff", LYING),
    "UTF-16 text": ("说明.txt", lambda: "完成情况".encode("utf-16"), LYING),
    "UTF-16 table": ("表.csv", lambda: "甲,乙".encode("utf-16-le"), LYING),
    "svg": ("图.svg", lambda: SVG, KIND),
    "program by name": ("程序.exe", lambda: EXE, KIND),
    "double extension": ("通知.pdf.exe", lambda: EXE, KIND),
    "macro document": ("表.xlsm", xlsx, KIND),
    "web page": ("网页.html", lambda: HTML, KIND),
    "archive": ("材料.zip", lambda: zipped({"a": b"x"}), KIND),
    "script by name": ("材料.js", lambda: b"alert(1)", KIND),
    "program inside a double extension": ("通知.exe.pdf", lambda: EXE, LYING),
    "no extension": ("材料", lambda: PDF, "扩展名"),
    "only an extension": (".pdf", lambda: PDF, "扩展名"),
    "only dots": ("...", lambda: PDF, "扩展名"),
}
LIARS = {f"program named {kind}": (f"文件.{kind}", lambda: EXE, LYING) for kind in files.CONTENT_TYPES}
EMPTY = {f"empty {kind}": (f"文件.{kind}", lambda: b"", "空文件") for kind in ("pdf", "docx", "txt", "doc", "png")}
GOOD = {
    "docx": docx,
    "xlsx": xlsx,
    "pptx": pptx,
    "ofd": ofd,
    "pdf": lambda: PDF,
    "png": lambda: PNG,
    "jpg": lambda: JPEG,
    "jpeg": lambda: JPEG,
    "gif": lambda: GIF,
    "webp": lambda: WEBP,
    "txt": lambda: "完成情况:已办理。\r\n".encode(),
    "csv": lambda: "\ufeff序号,事项\r\n1,报送\r\n".encode(),
} | {kind: lambda: OLE for kind in files.OLE}


def on_disk() -> list[Path]:
    return sorted(path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file())


def refused(name: str, content: bytes, words: str = "") -> FileRefused:
    with pytest.raises(FileRefused) as caught:
        files.store(SimpleUploadedFile(name, content))
    assert words in str(caught.value)
    assert "{" not in str(caught.value), "a placeholder was left in the message"
    assert any("\u4e00" <= c <= "\u9fff" for c in str(caught.value))
    assert on_disk() == []
    return caught.value


@pytest.mark.parametrize("case", [*HOSTILE, *LIARS, *EMPTY])
def test_hostile_files_are_refused_and_leave_nothing(case):
    name, make, words = (HOSTILE | LIARS | EMPTY)[case]
    content = make()
    began = time.process_time()
    refused(name, content, words)
    assert time.process_time() - began < 1, "the gate can be kept busy"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS")
def test_a_directory_of_a_million_entries_takes_no_memory():
    content = directory_of(1_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused("表.docx", content, UNSAFE)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


@pytest.mark.parametrize("kind", files.CONTENT_TYPES)
def test_good_files_of_every_kind_are_stored_under_their_digest(kind):
    content = GOOD[kind]()
    stored = files.store(SimpleUploadedFile(f"材料 1.{kind.upper()}", content))
    assert (stored.name, stored.size) == (f"材料 1.{kind}", len(content))
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert on_disk() == [files.path_of(stored.sha256)]
    assert on_disk()[0].read_bytes() == content
    assert stored.content_type == files.CONTENT_TYPES[kind]


@pytest.mark.parametrize(
    "content",
    [
        "简体中文".encode("gb18030"),
        "🀄 emoji".encode(),
        ("字" * 2730 + "ab字").encode(),  # a character across the end of the first block
        ("甲" * 600_000).encode(),
        ("乙" * 700_000).encode("gb18030"),
        b"plain",
    ],
)
def test_text_in_the_encodings_of_the_country(content):
    assert files.store(SimpleUploadedFile("说明.txt", content)).size == len(content)


def test_a_large_upload_comes_from_its_temporary_file():
    upload = TemporaryUploadedFile("大.pdf", "application/pdf", 0, None)
    with upload:
        upload.write(PDF + b"\n" * 6_000_000)
        upload.size = len(PDF) + 6_000_000
        upload.seek(0)
        assert files.store(upload).size == upload.size


@pytest.mark.parametrize(
    ("claimed", "words"), [(10**9, "上限"), (len(PDF) + 1, "没有传完整"), (len(PDF) - 1, "没有传完整")]
)
def test_a_lying_size_is_refused(claimed, words):
    upload = InMemoryUploadedFile(io.BytesIO(PDF), "files", "甲.pdf", "application/pdf", claimed, None)
    with pytest.raises(FileRefused, match=words):
        files.store(upload)
    assert on_disk() == []


def test_a_file_without_a_claimed_size_is_cut_off_at_the_limit(settings):
    settings.EVIDENCE_MAX_BYTES = 100_000
    upload = InMemoryUploadedFile(io.BytesIO(PDF + b"x" * 200_000), "files", "甲.pdf", "application/pdf", None, None)
    upload.chunks = lambda: iter([PDF, b"x" * 200_000])
    with pytest.raises(FileRefused, match="上限"):
        files.store(upload)
    assert on_disk() == []


def test_bits_that_flip_in_a_package_never_break_the_gate():
    """Whatever comes in, it is stored as it is or refused in words; never another exception, never a leftover."""
    chance = random.Random(20170913)
    outcomes = {True: 0, False: 0}
    for kind, content in (("docx", docx()), ("xlsx", xlsx()), ("ofd", ofd())):
        for _ in range(150):
            spoilt = bytearray(content)
            for _ in range(chance.choice((1, 2, 8))):
                spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
            if chance.random() < 0.2:
                del spoilt[chance.randrange(len(spoilt)) :]
            spoilt += b"x" * (40 - len(spoilt))
            # most of what matters stands at the end
            spoilt[-chance.randrange(1, 40)] ^= chance.randrange(256)
            try:
                stored = files.store(SimpleUploadedFile(f"表.{kind}", bytes(spoilt)))
            except FileRefused:
                outcomes[False] += 1
            else:
                outcomes[True] += 1
                assert files.path_of(stored.sha256).read_bytes() == bytes(spoilt)
                files.path_of(stored.sha256).unlink()
            assert on_disk() == []
    assert all(outcomes.values()), outcomes


# ------------------------------------------------------------------ names

STEMS = [
    "../../etc/passwd",
    "..\\..\\windows\\system32\\cmd",
    "/etc/shadow",
    "\\\\server\\share\\甲",
    "C:\\boot",
    "甲\x00乙",
    "甲\r\nX-Header: 1",
    "\u202egnp.exe",
    "\u2066甲\u2069",
    "\ufeff甲",
    "甲\u200b乙",
    "CON",
    "nul",
    "COM1",
    "LPT9.txt",
    "aux.pdf",
    "字" * 255,
    "字" * 85,
    "a" * 255,
    "😀" * 70,
    "e\u0301" * 60,
    "甲.pdf",
    "甲.exe",
    "甲.tar.gz",
    "甲.php;",
    " 甲 ",
    " . ",
    "-rf",
    "$(id)",
    "`id`",
    "甲;rm -rf ~",
    "甲|乙",
    "*?<>:",
    '"引号"',
    "'引号'",
    "%2e%2e%2f",
    "%00",
    "甲&乙=丙",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "{name}",
    "=1+1",
    "甲\u2028乙",
    "甲\t乙",
    "\ud800甲",
    "\ue000",
    "~",
    "_",
    "１２３",
    "ﷺ" * 20,
]
ENDINGS = [".pdf", ".PDF", ".pdf ", ".pdf.", "..pdf", ".\u202epdf"]
NAMES = [stem + ending for stem, ending in itertools.product(STEMS, ENDINGS)]


class Raw(SimpleUploadedFile):
    """An upload whose name nobody has looked at yet: Django's own cleaning is not what is tested."""

    def _set_name(self, name):
        self._raw = name

    name = property(lambda self: self._raw, _set_name)


def test_three_hundred_names():
    assert len(NAMES) >= 300
    taken, refusals = 0, {}
    place = files.path_of(hashlib.sha256(PDF).hexdigest())
    for name in NAMES:
        try:
            stored = files.store(Raw(name, PDF))
        except FileRefused as refusal:
            refusals[name] = str(refusal)
            continue
        taken += 1
        assert stored.name.endswith(".pdf")
        assert len(stored.name.encode()) <= 255
        assert not set(stored.name) & set("/\\"), name
        assert not [c for c in stored.name if unicodedata.category(c)[0] == "C"], name
        header = content_disposition_header(True, stored.name)
        assert header.isascii()
        assert header.isprintable()
        assert header.startswith("attachment; filename")
        if "filename*=utf-8''" in header:
            assert unquote(header.partition("filename*=utf-8''")[2]) == stored.name
        else:
            assert header.partition('filename="')[2][:-1].replace('\\"', '"').replace("\\\\", "\\") == stored.name
        assert on_disk() == [place], "a name got into the path"
    assert taken > 150
    assert [text for text in refusals.values() if "扩展名" not in text and "不在允许之列" not in text] == []
    speaking = {f"{stem}.pdf" for stem in STEMS if stem.strip(" .") and stem != "\ue000"}
    assert speaking & refusals.keys() == set()


def test_a_path_is_made_of_a_digest_and_of_nothing_else():
    for wrong in ("", "../x", "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "/" + "a" * 63):
        with pytest.raises(ValueError, match="SHA-256"):
            files.path_of(wrong)


@pytest.mark.django_db
def test_names_go_through_the_database_and_come_back(world):
    task, actor = world.own.tasks["accepted"], world.actor("clerk")
    for number, name in enumerate(NAMES[:: len(NAMES) // 40]):
        if number >= 40:
            break
        try:
            row = add_evidence(task_id=task.pk, actor=actor, at=world.now, upload=Raw(name, PDF))
        except FileRefused:
            continue
        assert Evidence.objects.get(pk=row.pk).name == row.name
    assert Blob.objects.filter(sha256=hashlib.sha256(PDF).hexdigest()).count() == 1


# ------------------------------------------------------------------ shown and handed over


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "content", "inline"),
    [
        ("甲.pdf", PDF + HTML, "application/pdf"),
        ("甲.png", PNG + HTML, "image/png"),
        ("甲.txt", HTML, None),
        ("甲.csv", HTML, None),
        ("甲.docx", docx({"word/a.html": HTML}), None),
    ],
)
def test_a_file_that_is_two_things_at_once_is_never_run(world, name, content, inline):
    task = world.own.tasks["accepted"]
    row = add_evidence(
        task_id=task.pk, actor=world.actor("clerk"), at=world.now, upload=SimpleUploadedFile(name, content)
    )
    client = world.client("clerk")
    for address in (f"/tasks/evidence/{row.pk}/", f"/tasks/evidence/{row.pk}/?view=1"):
        answer = client.get(address)
        assert b"".join(answer.streaming_content) == content
        shown = inline if address.endswith("view=1") else None
        assert answer["Content-Type"] == (shown or "application/octet-stream")
        assert answer["Content-Disposition"].startswith("inline" if shown else "attachment")
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer["Content-Security-Policy"]
        assert "default-src 'none'" in answer["Content-Security-Policy"]


# ------------------------------------------------------------------ the disk


@pytest.mark.django_db
def test_partial_files_are_removed_after_a_day():
    folder = Path(settings.MEDIA_ROOT) / "evidence" / "incoming"
    assert files.sweep_partial_files(at=timezone.now()) == 0, "there is no folder yet"
    folder.mkdir(parents=True)
    for name, age in (("old.part", 25), ("young.part", 1), ("other.txt", 99)):
        (folder / name).write_bytes(b"x")
        then = time.time() - age * 3600
        os.utime(folder / name, (then, then))
    assert files.sweep_partial_files(at=timezone.now()) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["other.txt", "young.part"]


@pytest.mark.django_db
def test_contents_without_a_row_are_set_aside_after_a_day_and_not_deleted(world):
    """A file is stored before its row: a crash in between must neither stay an error for ever nor cost a file."""
    content = b"never got its row"
    stray = files.store(SimpleUploadedFile("甲.txt", content))
    claimed = on_disk()
    now = timezone.now()
    assert files.sweep_partial_files(at=now) == 0, "it may still be on its way"
    later = now + timedelta(hours=25)
    assert files.sweep_partial_files(at=later) == 1
    aside = Path(settings.MEDIA_ROOT) / "evidence" / "unclaimed" / stray.sha256
    assert aside.read_bytes() == content
    assert set(on_disk()) == set(claimed) - {files.path_of(stray.sha256)} | {aside}
    assert files.path_of(world.own.evidence.blob.sha256).is_file()
    assert files.sweep_partial_files(at=later) == 0
    # sent again, it is simply there
    assert files.store(SimpleUploadedFile("甲.txt", content)) == stray
    assert files.path_of(stray.sha256).is_file()


LARGE = PDF + b"\n" * 300_000


def cannot_write(monkeypatch) -> None:
    """No file may grow beyond 100 KB: the system call itself fails, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def no_folder(monkeypatch) -> None:
    """A file lies where the folder should be."""
    (Path(settings.MEDIA_ROOT) / "evidence").write_bytes(b"")


def no_place(monkeypatch) -> None:
    """The folder of the content's digest cannot be made."""
    folder = Path(settings.MEDIA_ROOT) / "evidence"
    folder.mkdir()
    (folder / hashlib.sha256(LARGE).hexdigest()[:2]).write_bytes(b"")


def no_sync(monkeypatch) -> None:
    """The disk reports only when it is asked to write down what it had taken."""

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)


@pytest.mark.parametrize("trouble", [cannot_write, no_folder, no_place, no_sync])
@pytest.mark.django_db
def test_a_disk_that_fails_is_said_in_words_and_leaves_nothing(world, trouble, monkeypatch, caplog, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    task, limit = world.own.tasks["accepted"], resource.getrlimit(resource.RLIMIT_FSIZE)
    before = Evidence.objects.count(), Blob.objects.count()
    with monkeypatch.context() as patch:
        trouble(patch)
        planted = on_disk()
        try:
            with pytest.raises(FileRefused, match="服务器存储出错") as caught:
                add_evidence(
                    task_id=task.pk,
                    actor=world.actor("clerk"),
                    at=world.now,
                    upload=SimpleUploadedFile("甲.pdf", LARGE),
                )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert caught.value.status == 507
    assert on_disk() == planted
    assert (Evidence.objects.count(), Blob.objects.count()) == before
    assert "evidence could not be stored" in caplog.text
    for path in planted:
        path.unlink()
    assert files.store(SimpleUploadedFile("甲.pdf", PDF)).size == len(PDF), "it does not work again afterwards"


@pytest.mark.django_db
def test_the_page_says_that_the_disk_is_full(world, monkeypatch):
    with monkeypatch.context() as patch:
        no_sync(patch)
        answer = world.client("clerk").post(
            f"/tasks/{world.own.tasks['accepted'].pk}/files/",
            {"files": SimpleUploadedFile("甲.pdf", PDF)},
            headers={"X-Requested-With": "XMLHttpRequest"},
        )
    assert answer.status_code == 507
    assert "请稍后重试" in answer.json()["error"]


@pytest.mark.django_db
def test_strangers_and_wrong_times_store_nothing(world):
    before = on_disk()
    tries = [("reviewer", "accepted"), ("administrator", "accepted"), ("clerk", "reviewing"), ("clerk", "issued")]
    for role, state in tries:
        with pytest.raises(Refusal):
            add_evidence(
                task_id=world.own.tasks[state].pk,
                actor=world.actor(role),
                at=world.now,
                upload=SimpleUploadedFile("甲.pdf", PDF),
            )
    assert on_disk() == before
