"""issue_scheme KEY [--year Y] [--preview]: what issuing would do, or the tasks themselves."""

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.actors import Actor
from accounts.errors import Refusal
from schemes.queries import latest
from tasks.issuing import issue, preview


class Command(BaseCommand):
    help = "下达考核方案:生成任务并通知各处室;重复执行不会重复生成"

    def add_arguments(self, parser) -> None:
        parser.add_argument("key", help="方案代号,例如 jiaxing-2017")
        parser.add_argument("--year", type=int, help="年度,默认最新")
        parser.add_argument("--preview", action="store_true", help="只预览,不下达")

    def handle(self, *, key: str, year: int | None, **options) -> None:
        version = latest(key, year)
        if version is None:
            raise CommandError(f"数据库中没有方案“{key}”{f'{year}年度的版本' if year else ''},请先导入。")
        at = timezone.now()
        if options["preview"]:
            found = preview(version=version, at=at)
            self.stdout.write(str(found))
            for warning in found.warnings:
                self.stdout.write(f"- {warning}")
            return
        try:
            result = issue(version=version, actor=Actor.system("issue_scheme"), at=at)
        except Refusal as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(f"已下达《{version.title}》:新建{result.created}项任务,原有{result.existing}项。")
