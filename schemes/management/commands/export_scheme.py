"""export_scheme KEY [--year Y] --json: print a notice as data, from the database or else from the library."""

import json

from django.core.management.base import BaseCommand, CommandError

from accounts.errors import Refusal
from schemes.document import document_export
from schemes.queries import find_document, latest


class Command(BaseCommand):
    help = "输出考核方案(数据库中的原通知,没有则取自带方案;--year 指定结转的年度)"

    def add_arguments(self, parser) -> None:
        parser.add_argument("key", help="方案代号,例如 jiaxing-2017")
        parser.add_argument("--year", type=int, help="年度,默认原通知的年度")
        parser.add_argument("--json", action="store_true", help="输出 JSON")

    def handle(self, *, key: str, year: int | None, **options) -> None:
        try:
            document = find_document(key)
            if year is not None and document.year != year:
                if latest(key, year) is None:
                    raise CommandError(f"方案“{key}”没有{year}年度的版本。")
                document = find_document(key, year=year)
        except Refusal as refusal:
            raise CommandError(str(refusal)) from None
        if options["json"]:
            self.stdout.write(json.dumps(document_export(document), ensure_ascii=False, indent=1))
            return
        self.stdout.write(f"{document.title}({document.year}年度)")
        for row in document.rows:
            offices = "、".join(office.name for office in row.offices)
            points = "" if row.points is None else f"{row.points.normalize():f}分"
            self.stdout.write(f"{row.code} {row.title} {points} {offices}")
