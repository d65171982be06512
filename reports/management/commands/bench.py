"""Measurements of this very installation, on a temporary database. Prints JSON; see docs/performance.md."""

import json
import os
import platform
import sqlite3

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from reports.bench import data, database, measures


class Command(BaseCommand):
    help = "性能测量(使用临时数据库,不接触现有数据),结果为 JSON"

    def add_arguments(self, parser):
        parser.add_argument("--database-url", default="", help="在此 PostgreSQL 上另建临时库;缺省用 SQLite 文件")
        parser.add_argument("--sizes", default="10000,100000", help="任务数,逗号分隔")
        parser.add_argument("--late", type=float, default=0.15, help="新逾期任务所占比例")
        parser.add_argument("--offices", type=int, default=200)
        parser.add_argument("--members", type=int, default=5, help="每个处室的人数")
        parser.add_argument("--rounds", type=int, default=40, help="每个页面测量的次数")
        parser.add_argument("--no-issue", action="store_true", help="不测下达")
        parser.add_argument("--inside", default="", help="(内部使用)在临时库中运行")

    def handle(self, *, database_url, sizes, late, offices, members, rounds, no_issue, inside, **_options):
        if inside:
            self.stdout.write(json.dumps(self._inside(**json.loads(inside)), ensure_ascii=False))
            return
        if database_url and not database_url.startswith("postgres"):
            raise CommandError("--database-url 须为 postgres://… ;SQLite 缺省即用临时文件")
        common = {"offices": offices, "members": members, "rounds": rounds}
        runs = [common | {"issue": True, "size": 0, "late": 0}] if not no_issue else []
        for size in [int(text) for text in sizes.split(",") if text]:
            runs.append(common | {"issue": False, "size": size, "late": round(size * late)})
        results = []
        for options in runs:
            with database.temporary(database_url) as environment:
                results.append(json.loads(database.manage(environment, "bench", "--inside", json.dumps(options))))
        self.stdout.write(json.dumps({"machine": _machine(), "results": results}, ensure_ascii=False, indent=2))

    def _inside(self, *, issue, size, late, offices, members, rounds):
        name = str(connection.settings_dict["NAME"])
        if "bench" not in name:
            raise CommandError(f"这不是临时库:{name}")
        org = data.organisation(offices=offices, members=members)
        if issue:
            return {"database": _server(), "issue": measures.issuing(data.draft(org, offices_per_row=4))}
        filling, late_at = measures.timed(lambda: data.tasks(org, count=size, late=late))
        return {
            "database": _server(),
            "bulk_insert_tasks_per_second": round(size / filling),
        } | measures.everything(org, late_at, rounds=rounds)


def _machine() -> dict:
    return {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}


def _server() -> str:
    if connection.vendor == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {cursor.fetchone()[0].split()[0]}"
