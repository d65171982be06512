"""list_due KEY --year Y --json: one line per task that the notice makes in a year, issued or not."""

import json

from django.core.management.base import BaseCommand, CommandError

from accounts.errors import Refusal
from schemes.queries import find_document
from tasks.planning import plan


class Command(BaseCommand):
    help = "列出方案在一个年度的全部报送时限,每项任务一行"

    def add_arguments(self, parser) -> None:
        parser.add_argument("key", help="方案代号,例如 jiaxing-2017")
        parser.add_argument("--year", type=int, help="年度,默认方案自己的年度")
        parser.add_argument("--json", action="store_true", help="每行一个 JSON 对象")

    def handle(self, *, key: str, year: int | None, **options) -> None:
        if year is not None and not 1950 <= year <= 2999:
            raise CommandError("--year 须在1950至2999之间")
        try:
            document = find_document(key, year=year)
        except Refusal as refusal:
            raise CommandError(str(refusal)) from None
        for task in plan(document, year=year):
            line = {
                "office": task.office,
                "role": task.role,
                "row": task.row,
                "clause": task.clause,
                "period": task.period,
                "due": task.due.isoformat(),
                "quote": task.quote,
            }
            if options["json"]:
                self.stdout.write(json.dumps(line, ensure_ascii=False))
            else:
                clause = "" if task.clause is None else f"第{task.clause}条"
                self.stdout.write(f"{line['due']} {task.office} {task.row}{clause} {task.period} {task.quote}")
