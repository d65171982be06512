"""Files as they come in: hostile until checked, then stored once by their content.

Order of writing (so that no row is ever without its file): temporary file → fsync → rename to the content's name →
the caller's transaction writes the rows. A file without a row is set aside later; a row without a file cannot be.
"""

import codecs
import hashlib
import logging
import os
import re
import struct
import tempfile
import unicodedata
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

import filetype
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from tasks.errors import FileRefused
from tasks.models import Blob

OOXML = {"docx": "word/", "xlsx": "xl/", "pptx": "ppt/"}
OLE = {"doc", "xls", "ppt", "wps", "et", "dps"}
IMAGES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
TEXT = {"txt": "text/plain", "csv": "text/csv"}
CONTENT_TYPES = (
    {
        "pdf": "application/pdf",
        "ofd": "application/ofd",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    }
    | {name: "application/x-ole-storage" for name in OLE}
    | IMAGES
    | TEXT
)
MAX_ENTRIES = 5000
MAX_UNPACKED = 500 * 1024 * 1024
MAX_RATIO = 200
OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
SNIFFED = 8192
# Windows drops dots and spaces at the end of a name
PROGRAMS = re.compile(
    r"vbaProject\.bin$|\.(exe|dll|com|scr|cmd|bat|ps1|vbs|vbe|js|jse|wsf|hta|lnk|msi|jar|sh)[. ]*$", re.IGNORECASE
)
logger = logging.getLogger(__name__)


class StorageFailed(FileRefused):
    """The file may be good, but the disk did not take it."""

    status = 507


@dataclass(frozen=True)
class StoredFile:
    """A checked file in its place: ready for a row to point at it."""

    sha256: str
    size: int
    content_type: str
    name: str


def accepted_extensions() -> list[str]:
    return sorted(CONTENT_TYPES)


def clean_name(raw: str) -> str:
    """The name a person will see again: the last path part, without control and direction characters, ≤ 200 bytes."""
    name = re.split(r"[\\/]", raw or "")[-1]
    name = "".join(c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c)[0] != "C").strip(" .")
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem:
        raise FileRefused(_("文件“{name}”没有可用的文件名和扩展名。请改名后重新上传。"), name=name[:60] or "?")
    while len(stem.encode()) > 200:
        stem = stem[:-1]
    return f"{stem}.{extension.lower()}"


def path_of(sha256: str) -> Path:
    """Where a content lives. The name is the content's own digest: nothing from outside enters the path."""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError("not a SHA-256")
    return Path(settings.MEDIA_ROOT) / "evidence" / sha256[:2] / sha256[2:4] / sha256


def store(upload: UploadedFile) -> StoredFile:
    """Check an upload and put it in its place. Raises FileRefused with what is wrong and how to go on."""
    name = clean_name(upload.name)
    extension = name.rpartition(".")[2]
    if extension not in CONTENT_TYPES:
        raise FileRefused(
            _("不接受“{name}”:文件类型 .{extension} 不在允许之列。可上传:{allowed}。"),
            name=name,
            extension=extension,
            allowed=_("、").join(accepted_extensions()),
        )
    limit = settings.EVIDENCE_MAX_BYTES
    if upload.size is not None and upload.size > limit:
        raise FileRefused(
            _("“{name}”有 {size} MB,超过每个文件 {limit} MB 的上限。请压缩或拆分后上传。"),
            name=name,
            size=-(-upload.size // 1048576),
            limit=limit // 1048576,
        )
    folder = Path(settings.MEDIA_ROOT) / "evidence" / "incoming"
    temporary = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
        digest, size = hashlib.sha256(), 0
        with os.fdopen(handle, "w+b") as out:
            for chunk in upload.chunks():
                size += len(chunk)
                if size > limit:
                    raise FileRefused(_("“{name}”超过每个文件的大小上限。"), name=name)
                digest.update(chunk)
                out.write(chunk)
            if not size:
                raise FileRefused(_("“{name}”是空文件。请检查后重新上传。"), name=name)
            if upload.size is not None and size != upload.size:
                raise FileRefused(_("“{name}”没有传完整。请重新上传。"), name=name)
            out.flush()
            _check_content(out, name=name, extension=extension)
            os.fsync(out.fileno())
        target = path_of(digest.hexdigest())
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(temporary, target)
        _sync_folder(target.parent)
    except OSError as error:
        logger.exception("evidence could not be stored in %s", folder)
        raise StorageFailed(_("“{name}”暂时无法保存(服务器存储出错)。请稍后重试,并告知管理员。"), name=name) from error
    finally:
        if temporary:
            with suppress(OSError):  # it is in its place; or it is swept tomorrow
                os.unlink(temporary)
    return StoredFile(digest.hexdigest(), size, CONTENT_TYPES[extension], name)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def blob_of(stored: StoredFile, *, at: datetime) -> Blob:
    """The row of a stored content, shared by everybody who filed the same bytes."""
    blob, _created = Blob.objects.get_or_create(
        sha256=stored.sha256,
        defaults={"size": stored.size, "content_type": stored.content_type, "stored_at": at},
    )
    return blob


# ------------------------------------------------------------------ content against extension


def _check_content(stream: IO[bytes], *, name: str, extension: str) -> None:
    stream.seek(0)
    head = stream.read(SNIFFED)
    lying = FileRefused(
        _("“{name}”的内容与扩展名 .{extension} 不符。请用原来的程序另存为正确格式后上传。"),
        name=name,
        extension=extension,
    )
    if extension == "pdf":
        if not head.startswith(b"%PDF-"):
            raise lying
    elif extension in IMAGES:
        kind = filetype.guess(head)
        if kind is None or kind.mime != IMAGES[extension]:
            raise lying
    elif extension in OLE:
        if not head.startswith(OLE_MAGIC):
            raise lying
    elif extension in TEXT:
        if not _is_text(stream):
            raise lying
    elif extension in OOXML or extension == "ofd":
        _check_archive(stream, name=name, extension=extension, lying=lying)
    stream.seek(0)


def _is_text(stream: IO[bytes]) -> bool:
    """UTF-8 or GB 18030 from beginning to end, without NUL."""
    for encoding in ("utf-8-sig", "gb18030"):
        decoder = codecs.getincrementaldecoder(encoding)()
        stream.seek(0)
        try:
            while chunk := stream.read(1 << 20):
                if "\x00" in decoder.decode(chunk):
                    return False
            decoder.decode(b"", final=True)
            return True
        except UnicodeDecodeError:
            continue
    return False


def _entries_announced(stream: IO[bytes]) -> int:
    """How many entries a zip's directory seems to have, without building an object for each."""
    stream.seek(0)
    count, rest = 0, b""
    while chunk := stream.read(1 << 20):
        block = rest + chunk
        count += block.count(b"PK\x01\x02")
        rest = block[-3:]
    return count


def _check_archive(stream: IO[bytes], *, name: str, extension: str, lying: FileRefused) -> None:
    stream.seek(0)
    if stream.read(4) != b"PK\x03\x04":
        raise lying
    unsafe = FileRefused(_("“{name}”的内部结构不安全,已拒绝。请用办公软件重新另存后上传。"), name=name)
    if _entries_announced(stream) > 2 * MAX_ENTRIES:  # an embedded file may bring entries of its own
        raise unsafe
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError, struct.error) as error:
        raise FileRefused(_("“{name}”已损坏,无法打开。请重新另存后上传。"), name=name) from error
    size = stream.seek(0, os.SEEK_END)
    if any(not 0 <= entry.header_offset < size for entry in entries):
        raise FileRefused(_("“{name}”已损坏,无法打开。请重新另存后上传。"), name=name)
    unpacked = sum(entry.file_size for entry in entries)
    packed = max(1, sum(entry.compress_size for entry in entries))
    if len(entries) > MAX_ENTRIES or unpacked > MAX_UNPACKED or unpacked / packed > MAX_RATIO:
        raise unsafe
    if packed > size:  # entries that overlap: each counts as packed, all of them lie in the same bytes
        raise unsafe
    names = [entry.filename for entry in entries]
    for entry in entries:
        mode = entry.external_attr >> 16
        if (
            entry.flag_bits & 0x1
            or "\x00" in entry.orig_filename
            or ".." in re.split(r"[\\/]", entry.filename)
            or re.match(r"[\\/]|[A-Za-z]:", entry.filename)
            or (mode & 0o170000) == 0o120000
        ):
            raise unsafe
    if len({n.replace("\\", "/").casefold() for n in names}) != len(names):
        raise unsafe
    if any(PROGRAMS.search(n) for n in names):
        raise FileRefused(_("“{name}”含有宏或程序,已拒绝。请另存为不含宏的文件后上传。"), name=name)
    if extension == "ofd":
        if "OFD.xml" not in names:
            raise lying
    elif "[Content_Types].xml" not in names or not any(n.startswith(OOXML[extension]) for n in names):
        raise lying


def sweep_partial_files(*, at: datetime) -> int:
    """Clear up after cut-off uploads, a day later: remove what is partial, set aside what never got its row."""
    root = Path(settings.MEDIA_ROOT) / "evidence"
    before = (at - timedelta(hours=24)).timestamp()
    removed = 0
    for part in (root / "incoming").glob("*.part"):
        with suppress(FileNotFoundError):
            if part.stat().st_mtime < before:
                part.unlink()
                removed += 1
    return removed + _set_aside_unclaimed(root, before)


def _set_aside_unclaimed(root: Path, before: float) -> int:
    """Contents without a row are moved to evidence/unclaimed, never deleted: the mistake may be in the database."""
    known = set(Blob.objects.order_by().values_list("sha256", flat=True))
    moved = 0
    for path in root.glob("??/??/*"):
        with suppress(FileNotFoundError):
            if path.name in known or path.stat().st_mtime >= before:
                continue
            aside = root / "unclaimed" / path.name
            aside.parent.mkdir(exist_ok=True)
            os.replace(path, aside)
            if aside.stat().st_mtime >= before:  # sent again in this very moment
                os.replace(aside, path)
            else:
                moved += 1
    return moved
