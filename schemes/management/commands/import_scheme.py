"""import_scheme FILE|KEY: check a scheme file and store it as a version, all or nothing."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.actors import Actor
from accounts.errors import Refusal
from schemes.document import Document
from schemes.importers import read_document
from schemes.operations import import_document
from schemes.queries import latest, library_file, library_keys


class Command(BaseCommand):
    help = "导入考核方案:逐处报告全部错误,全部通过才写入"

    def add_arguments(self, parser) -> None:
        parser.add_argument("source", metavar="FILE|KEY", help=f"YAML 文件,或自带方案:{'、'.join(library_keys())}")
        parser.add_argument("--dry-run", action="store_true", help="只检查,不写入")

    def handle(self, *, source: str, dry_run: bool, **options) -> None:
        document, problems = read_document(self._read(source))
        if document is None:
            for problem in problems:
                self.stderr.write(str(problem))
            raise CommandError(f"没有导入:共{len(problems)}处错误。", returncode=1)
        if dry_run:
            self.stdout.write(f"检查通过:{self._summary(document)}。没有写入。")
            return
        before = latest(document.key, document.year)
        try:
            version = import_document(document=document, actor=Actor.system("import_scheme"), at=timezone.now())
        except Refusal as refusal:
            raise CommandError(str(refusal)) from None
        if before is not None and before.pk == version.pk:
            self.stdout.write(f"内容没有变化,沿用{version.year}年度第{version.number}版。")
        else:
            self.stdout.write(
                f"已导入《{version.title}》{version.year}年度第{version.number}版:{self._summary(document)}。"
            )

    def _read(self, source: str) -> bytes:
        try:
            path = library_file(source) if source in library_keys() else Path(source)
            return path.read_bytes()
        except OSError as error:
            known = "、".join(library_keys())
            raise CommandError(f"读不到 {source}({error.strerror})。可用的自带方案:{known}") from None

    def _summary(self, document: Document) -> str:
        clauses = sum(len(row.clauses) for row in document.rows)
        return (
            f"{len(document.sections)}个部分,{len(document.rows)}行,{clauses}条,"
            f"{len(document.offices)}个处室,存疑{len(document.doubts)}处"
        )
