"""`make demo`: the main job on the embedded default, with a year that is already under way."""

import time as clock
from datetime import datetime, time, timedelta

from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from accounts.actors import Actor
from schemes.models import SchemeVersion
from schemes.operations import import_document, roll
from schemes.queries import find_document
from tasks.issuing import assign_extra, issue
from tasks.models import Task
from workflow.demo.cast import CAST, PASSWORD, assemble
from workflow.demo.year import Year, judge

KEY = "jiaxing-2017"


class Command(BaseCommand):
    help = "演示:导入嘉兴2017年责任分解,下达本年任务,演示部分年度工作,然后启动服务。"

    def add_arguments(self, parser):
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--no-serve", action="store_true", help="只准备数据,不启动服务")

    def handle(self, *args, **options):
        if settings.PRODUCTION:
            raise CommandError("演示数据不能装入生产环境。")
        self.started = clock.monotonic()
        self.say("建立数据库 …")
        call_command("migrate", verbosity=0, interactive=False)
        now = timezone.now()
        system = Actor.system("demo")
        year = timezone.localdate(now).year
        version = SchemeVersion.objects.filter(scheme__key=KEY, year=year, status="issued").first()
        if version is None:
            version = self.prepare(system=system, year=year, now=now)
        else:
            self.say(f"沿用已有的演示数据({year}年)。要重新开始,请删除 {settings.DATABASES['default']['NAME']}")
        self.live_task(version=version, system=system, now=timezone.now())
        self.signpost(options)
        if not options["no_serve"]:
            self.serve(options)

    def say(self, text: str) -> None:
        self.stdout.write(f"[{clock.monotonic() - self.started:5.1f} 秒] {text}")
        self.stdout.flush()

    def prepare(self, *, system: Actor, year: int, now: datetime) -> SchemeVersion:
        begin = timezone.make_aware(datetime.combine(datetime(year, 1, 4).date(), time(9, 0)))
        begin = min(begin, now - timedelta(days=1))
        self.say("导入《2017年度市新居民事务局工作目标责任制暨“五型”机关创建考核责任分解》 …")
        source = import_document(document=find_document(KEY, year=2017), actor=system, at=begin)
        version = roll(version=source, year=year, actor=system, at=begin)
        people = assemble(unit=version.unit)
        result = issue(version=version, actor=system, at=begin)
        version.refresh_from_db()
        self.say(f"已下达{year}年任务 {result.created} 项;按真实操作演示到今天 …")
        played = Year(version=version, people=people, until=now - timedelta(minutes=10))
        for task in Task.objects.filter(version=version).select_related("office", "clause").order_by("due_at", "pk"):
            played.plan(task)
        steps = played.run()
        judge(year=played)
        self.say(f"演示了 {steps} 步办理。")
        return version

    def live_task(self, *, version: SchemeVersion, system: Actor, now: datetime) -> None:
        """One task that falls due while somebody watches."""
        indicator = version.indicators.get(code="1.24")
        office = Task.objects.filter(version=version, office__name="综合处").first().office
        assign_extra(
            version=version,
            indicator=indicator,
            office=office,
            title="请即报今日值班情况(演示:两分钟后到期)",
            quote="市委、市政府其他阶段性重点工作。",
            due_at=now + timedelta(minutes=2),
            actor=system,
            at=now,
        )

    def signpost(self, options) -> None:
        address = f"http://{options['host']}:{options['port']}/"
        lines = [
            "",
            "=" * 64,
            f"  责任 Zeren 演示地址:  {address}",
            f"  所有演示帐号的密码:   {PASSWORD}",
            "-" * 64,
        ]
        lines += [f"  {player.username:<10} {player.name}  {player.words}" for player in CAST]
        lines += [
            "-" * 64,
            "  用 wangfang 登录并停留在首页,约两分钟后会实时弹出逾期预警。",
            "  按 Ctrl-C 停止。",
            "=" * 64,
        ]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()

    def serve(self, options) -> None:
        import uvicorn

        uvicorn.run(
            "config.asgi:application",
            host=options["host"],
            port=options["port"],
            log_level="warning",
            lifespan="on",
            ws_max_size=65536,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=3,
        )
