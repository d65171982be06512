"""roll_scheme KEY --to YEAR: copy a notice to another year as a new version, and show what changes."""

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.actors import Actor
from accounts.errors import Refusal
from schemes.operations import compare, roll
from schemes.queries import latest, load_document
from schemes.rolling import differences, rolled


class Command(BaseCommand):
    help = "把考核方案结转到另一年度,成为新的一版,并列出差异"

    def add_arguments(self, parser) -> None:
        parser.add_argument("key")
        parser.add_argument("--year", type=int, help="由哪一年度结转,默认最新")
        parser.add_argument("--to", type=int, required=True, help="结转到的年度")
        parser.add_argument("--office", action="append", default=[], metavar="旧名=新名", help="处室更名,可多次")
        parser.add_argument("--dry-run", action="store_true", help="只列出差异,不写入")

    def handle(self, *, key: str, year: int | None, to: int, dry_run: bool, **options) -> None:
        version = latest(key, year)
        if version is None:
            raise CommandError(f"数据库中没有方案“{key}”{f'{year}年度的版本' if year else ''},请先导入。")
        try:
            offices = dict(pair.split("=", 1) for pair in options["office"])
        except ValueError:
            raise CommandError("--office 须写成 旧名=新名") from None
        if dry_run:
            former = load_document(version)
            found = differences(former, rolled(former, year=to, offices=offices))
        else:
            try:
                new = roll(
                    version=version, year=to, offices=offices, actor=Actor.system("roll_scheme"), at=timezone.now()
                )
            except Refusal as refusal:
                raise CommandError(str(refusal)) from None
            self.stdout.write(f"已由{version.year}年度第{version.number}版结转为{new.year}年度第{new.number}版。")
            found = compare(old=version, new=new)
        for difference in found:
            self.stdout.write(str(difference))
        self.stdout.write(f"共{len(found)}处差异。")
