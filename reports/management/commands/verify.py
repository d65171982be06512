"""manage.py verify: does everything hold? Exit code 1 if something does not."""

import json
import unicodedata

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from reports.invariants import INVARIANTS, verify

SHOWN = 10


class Command(BaseCommand):
    help = "核验:预警、报送、留痕、流程、得分、文件和权限是否完整一致"

    def add_arguments(self, parser):
        parser.add_argument("only", nargs="*", metavar="I1", help="只核验这几项")
        parser.add_argument("--json", action="store_true", help="输出 JSON")
        parser.add_argument("--quick", action="store_true", help="只比对文件大小,不读取内容")
        parser.add_argument("--all", action="store_true", help="列出全部问题,不止每项前十条")

    def handle(self, *args, **options):
        if unknown := set(options["only"]) - {invariant.code for invariant in INVARIANTS}:
            raise CommandError(f"没有这一项:{'、'.join(sorted(unknown))}")
        results = verify(at=timezone.now(), quick=options["quick"], only=options["only"])
        broken = [result for result in results if not result.holds]
        if options["json"]:
            shown = [vars(result) | {"holds": result.holds} for result in results]
            self.stdout.write(json.dumps({"holds": not broken, "invariants": shown}, ensure_ascii=False, indent=2))
        else:
            self._table(results, everything=options["all"])
        if broken:
            raise SystemExit(1)

    def _table(self, results, *, everything: bool) -> None:
        rows = [("编号", "内容", "核对", "问题", "用时", "结论")]
        rows += [
            (r.code, r.title, str(r.checked), str(r.broken), f"{r.seconds:.2f} 秒", "通过" if r.holds else "不通过")
            for r in results
        ]
        widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            self.stdout.write("  ".join(cell + " " * (w - width(cell)) for cell, w in zip(row, widths, strict=True)))
        for result in results:
            shown = result.problems if everything else result.problems[:SHOWN]
            for problem in shown:
                self.stdout.write(f"{result.code} ✗ {problem}")
            if result.broken > len(shown):
                self.stdout.write(f"{result.code} … 另有 {result.broken - len(shown)} 处")
        count = sum(not result.holds for result in results)
        self.stdout.write(f"{len(results)} 项中 {count} 项不通过。" if count else f"{len(results)} 项全部通过。")


def width(text: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
