"""Everything the tests share. ``python tests/run.py --help`` says how to run them.

The environment is set here, before Django reads its settings: a test never touches the developer's own database,
media files or Redis.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.util
import itertools
import json
import os
import re
import shutil
import socket
import sqlite3
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import hypothesis
import pytest

from tests import servers
from tests.servers import MISSING, LiveApp

ROOT = Path(__file__).resolve().parent.parent
ARTEFACTS = ROOT / "artefacts"
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
REQUIRE_ALL = os.environ.get("REQUIRE_ALL") == "1"
# sqlite, postgres, browser: set by tests/run.py; empty when pytest is called by hand
PASS = os.environ.get("ZEREN_TEST_PASS", "")
# what a developer may have set for his own site
SITE_SETTINGS = [
    "ALLOWED_HOSTS",
    "BEHIND_PROXY",
    "CSRF_TRUSTED_ORIGINS",
    "DB_POOL",
    "DEBUG",
    "EVIDENCE_MAX_BYTES",
    "JOBS_ENGINE",
    "PROXY_COUNT",
    "SCAN_INTERVAL_SECONDS",
    "SERVE_HTTPS",
    "SOURCE_URL",
    "SSL_REDIRECT",
    "TIME_ZONE",
    "WEBSOCKET_ORIGINS",
]


def _environment() -> None:
    import django
    from django.conf import settings

    if settings.configured:
        raise pytest.UsageError("Django was set up before tests/conftest.py: unset DJANGO_SETTINGS_MODULE")
    servers.sweep()
    scratch = Path(tempfile.mkdtemp(prefix=f"zeren-{os.getpid()}-tests-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    for name in ("media", "static"):
        (scratch / name).mkdir()
    for name in SITE_SETTINGS:
        os.environ.pop(name, None)
    os.environ.update(
        DJANGO_SETTINGS_MODULE="config.settings",
        ZEREN_ENV="test",
        SECRET_KEY="test-only-" + "t" * 50,
        MEDIA_ROOT=str(scratch / "media"),
        STATIC_ROOT=str(scratch / "static"),
        # a file, as in production: WAL, IMMEDIATE transactions and several connections are what is tested
        TEST_SQLITE_FILE=str(scratch / "test.sqlite3"),
        CHANNEL_PREFIX=f"test-{WORKER}",
    )
    # called by hand, a PostgreSQL given in DATABASE_URL is used; any other database in it is left alone
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        os.environ["DATABASE_URL"] = f"sqlite:///{scratch / 'unused.sqlite3'}"
    if os.environ.get("REDIS_URL") and WORKER.startswith("gw"):
        # pub/sub is kept apart by CHANNEL_PREFIX, queues by the number of the database
        os.environ["REDIS_URL"] = re.sub(r"(//[^/]+).*", rf"\g<1>/{int(WORKER[2:]) + 1}", os.environ["REDIS_URL"])
    os.environ.setdefault("REDIS_URL", "")
    django.setup()  # here already, so that a conftest below may import models
    # a worker of pytest-xdist inherits the environment and has to get as far as this function itself
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


_environment()
ON_POSTGRES = os.environ["DATABASE_URL"].startswith("postgres")
WITH_REDIS = bool(os.environ["REDIS_URL"])
# the time of a single example says nothing on a busy machine; pytest-timeout bounds the whole test
hypothesis.settings.register_profile("zeren", deadline=None)
hypothesis.settings.load_profile("zeren")


# ---------------------------------------------------------------- which tests run where
def _implied_markers(item: pytest.Item) -> None:
    folder = item.path.relative_to(ROOT / "tests").parts[0] if item.path.is_relative_to(ROOT / "tests") else ""
    names = set(getattr(item, "fixturenames", ()))
    for marker, implied in (
        ("browser", folder == "browser" or "browser" in names),
        ("pure", folder in {"pure", "house"}),
        ("postgres_only", "pg_url" in names),
        ("redis_only", "redis_url" in names),
    ):
        if implied and not item.get_closest_marker(marker):
            item.add_marker(marker)


def _belongs(item: pytest.Item) -> bool:
    """Whether a test makes sense in this pass. What needs a missing program stays, to be skipped with its reason."""

    def marked(name: str) -> bool:
        return item.get_closest_marker(name) is not None

    if PASS == "postgres":
        if marked("pure") or marked("browser"):
            return False
        if not ON_POSTGRES:  # not installed: only what must be reported as skipped, or still has its Redis
            return marked("postgres_only") or marked("redis_only")
        return not marked("sqlite_only")
    if PASS == "browser-servers":
        return marked("browser") and (marked("postgres_only") or marked("redis_only"))
    if PASS == "sqlite" and marked("browser"):
        return False
    if PASS == "browser" and not marked("browser"):
        return False
    if marked("postgres_only") and not ON_POSTGRES:
        return False
    if marked("sqlite_only") and ON_POSTGRES:
        return False
    return not (marked("redis_only") and not WITH_REDIS)


def _flushes(item: pytest.Item) -> bool:
    from django.test import TestCase, TransactionTestCase

    cls = getattr(item, "cls", None)
    if cls and issubclass(cls, TransactionTestCase):
        return not issubclass(cls, TestCase)
    if "transactional_db" in getattr(item, "fixturenames", ()):
        return True
    marker = item.get_closest_marker("django_db")
    return bool(marker and (marker.kwargs.get("transaction") or (marker.args and marker.args[0])))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        _implied_markers(item)
    kept = [item for item in items if _belongs(item)]
    if not PASS and any(not item.get_closest_marker("browser") for item in kept):
        # Playwright's own event loop and pytest-asyncio exclude each other: browser tests run alone
        kept = [item for item in kept if not item.get_closest_marker("browser")]
    if dropped := [item for item in items if item not in set(kept)]:
        config.hook.pytest_deselected(items=dropped)
    # what empties the database comes last; within both halves the random order stays
    items[:] = sorted(kept, key=_flushes)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("postgres_only") and not ON_POSTGRES:
        pytest.skip(MISSING["postgres"])
    if item.get_closest_marker("redis_only") and not WITH_REDIS:
        pytest.skip(MISSING["redis"])
    if item.get_closest_marker("browser") and not servers.chromium_bin():
        pytest.skip(MISSING["chromium"])


# ---------------------------------------------------------------- reports
OUTCOME = pytest.StashKey[dict]()


def _refuse_skip(report) -> None:
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_ALL=1: 不允许跳过 · no test may be skipped — {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    report = yield
    _refuse_skip(report)
    item.stash.setdefault(OUTCOME, {})[report.when] = report
    if report.failed:
        for number, app in enumerate(LiveApp.running):
            report.sections.append((f"application log {app.url}", app.log()))
            with contextlib.suppress(OSError):
                shutil.copyfile(app.log_path, _artefact(item, f"app-{number}.log"))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    _refuse_skip(report)
    return report


def pytest_terminal_summary(terminalreporter, exitstatus, config) -> None:
    if (target := os.environ.get("ZEREN_TEST_SUMMARY")) and not hasattr(config, "workerinput"):
        counts = {
            name: len(terminalreporter.stats.get(name, ()))
            for name in ("passed", "failed", "error", "skipped", "xfailed", "xpassed", "deselected")
        }
        Path(target).write_text(json.dumps(counts))


def _artefact(item: pytest.Item, suffix: str) -> Path:
    name = re.sub(r"[^\w\[\].-]+", "_", item.nodeid.removeprefix("tests/"))[-150:]
    ARTEFACTS.mkdir(exist_ok=True)
    return ARTEFACTS / f"{name}-{suffix}"


# ---------------------------------------------------------------- safe defaults
_migrated_rows: dict[str, dict[str, str]] = {}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Remember the rows that migrations created, to put them back after each flush."""
    from django.apps import apps
    from django.core import serializers
    from django.db import connections

    with django_db_blocker.unblock():
        for alias in connections:
            rows = _migrated_rows.setdefault(alias, {})
            tables = set(connections[alias].introspection.table_names())
            for model in apps.get_models():
                managed = model._meta.managed and not model._meta.proxy and model._meta.db_table in tables
                if managed and model._meta.label not in {"contenttypes.ContentType", "auth.Permission"}:
                    objects = list(model._base_manager.using(alias).order_by("pk"))
                    if objects:
                        rows[model._meta.label] = serializers.serialize("json", objects, use_natural_foreign_keys=True)


def _restore_migrated_rows(alias: str) -> None:
    from django.apps import apps
    from django.core import serializers

    for label, rows in _migrated_rows.get(alias, {}).items():
        if not apps.get_model(label)._base_manager.using(alias).exists():  # post_migrate may have made them again
            for row in serializers.deserialize("json", rows, using=alias):
                row.save(using=alias)


def _make_flush_complete() -> None:
    """After a transactional test Django empties all tables. The audit table refuses that by trigger, so the guard is
    lifted for the flush and put back; and the rows that migrations created are restored."""
    from django.db import connections
    from django.test import TransactionTestCase

    flush = TransactionTestCase._fixture_teardown
    has_guard = importlib.util.find_spec("audit.guard") is not None

    @functools.wraps(flush)
    def complete(self):
        touched = [connections[alias] for alias in self._databases_names(include_mirrors=False)]
        if has_guard:
            from audit import guard

            for connection in touched:
                guard.remove(connection)
        try:
            flush(self)
            for connection in touched:
                _restore_migrated_rows(connection.alias)
        finally:
            if has_guard:
                for connection in touched:
                    guard.install(connection)

    TransactionTestCase._fixture_teardown = complete


_make_flush_complete()


@pytest.fixture(scope="session", autouse=True)
def _test_settings():
    from django.test import override_settings

    with override_settings(
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
    ):
        yield


@pytest.fixture(autouse=True)
def _scratch(request):
    """Media files and caches of a test are its own."""
    if request.node.get_closest_marker("pure") or request.node.get_closest_marker("browser"):
        yield
        return
    from django.core.cache import caches
    from django.core.cache.backends.locmem import LocMemCache
    from django.test import override_settings

    media = Path(tempfile.mkdtemp(dir=Path(os.environ["MEDIA_ROOT"]).parent))
    with override_settings(MEDIA_ROOT=media):
        yield
    for cache in caches.all(initialized_only=True):
        if isinstance(cache, LocMemCache):
            cache.clear()
    shutil.rmtree(media, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _no_outside_network():
    """A test that calls another machine fails, whether or not there is a network."""
    connect = socket.socket.connect

    def local_only(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a test tried to reach another machine: {address}")
        return connect(self, address)

    socket.socket.connect = local_only
    yield
    socket.socket.connect = connect


# ---------------------------------------------------------------- servers
@pytest.fixture(scope="session")
def pg_url() -> str:
    """URL of the PostgreSQL of this pass. A test with this fixture runs on PostgreSQL only."""
    return os.environ["DATABASE_URL"]


@pytest.fixture(scope="session")
def redis_url() -> str:
    """URL of the Redis of this pass (a database number per worker). A test with this fixture runs with Redis only."""
    return os.environ["REDIS_URL"]


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = servers.chromium_bin()
    if path is None:
        pytest.skip(MISSING["chromium"])
    return path


class _Databases:
    """Databases for running applications: migrated once, then copied."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.numbers = itertools.count(1)
        self.template: str | None = None
        self.created: list[str] = []

    def _admin(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(statement)

    def environment(self, database_url: str, directory: Path) -> dict[str, str]:
        drop = {"TEST_SQLITE_FILE", "ZEREN_TEST_SUMMARY", "DJANGO_ALLOW_ASYNC_UNSAFE"}
        kept = {key: value for key, value in os.environ.items() if key not in drop and not key.startswith("PYTEST_")}
        return kept | {
            "ZEREN_ENV": "test",
            "DATABASE_URL": database_url,
            "MEDIA_ROOT": str(directory / "media"),
            "STATIC_ROOT": str(directory / "static"),
            "CHANNEL_PREFIX": f"live-{WORKER}-{directory.name}",
            "PYTHONUNBUFFERED": "1",
        }

    def _name(self, directory: Path) -> str:
        return f"live_{os.getpid()}_{directory.name}"

    def _url(self, directory: Path) -> str:
        if ON_POSTGRES:
            return re.sub(r"/[^/?]*(\?.*)?$", rf"/{self._name(directory)}\1", os.environ["DATABASE_URL"])
        return f"sqlite:///{directory / 'live.sqlite3'}"

    def _new_directory(self, name: str) -> Path:
        directory = self.directory / name
        for folder in ("media", "static"):
            (directory / folder).mkdir(parents=True)
        return directory

    def _make_template(self) -> Path:
        directory = self.directory / "template"
        if not directory.exists():
            self._new_directory("template")
            if ON_POSTGRES:
                self._admin(f"CREATE DATABASE {self._name(directory)}")
                self.created.append(self._name(directory))
            LiveApp(directory, self.environment(self._url(directory), directory)).manage("migrate", "--verbosity", "0")
            if not ON_POSTGRES:
                with contextlib.closing(sqlite3.connect(directory / "live.sqlite3")) as connection:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return directory

    def new(self, environment: dict[str, str]) -> LiveApp:
        template = self._make_template()
        directory = self._new_directory(f"app{next(self.numbers)}")
        if ON_POSTGRES:
            self._admin(f"CREATE DATABASE {self._name(directory)} TEMPLATE {self._name(template)}")
            self.created.append(self._name(directory))
        else:
            shutil.copyfile(template / "live.sqlite3", directory / "live.sqlite3")
        return LiveApp(directory, self.environment(self._url(directory), directory) | environment)

    def drop(self) -> None:
        for name in self.created:
            with contextlib.suppress(Exception):  # the private server is thrown away in any case
                self._admin(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def _live_databases(tmp_path_factory):
    databases = _Databases(tmp_path_factory.mktemp("live"))
    yield databases
    for app in list(LiveApp.running):
        app.stop()
    databases.drop()


@pytest.fixture
def live_app(_live_databases):
    """A factory: ``app = live_app(setup=[("import_scheme", path)], env={"SCAN_INTERVAL_SECONDS": "0.2"})`` starts the
    real application with a fresh database; ``start=False`` leaves the starting to the test."""
    started: list[LiveApp] = []

    def make(*, setup=(), env=None, start=True) -> LiveApp:
        app = _live_databases.new(dict(env or {}))
        started.append(app)
        for command in setup:
            app.manage(*command)
        return app.start() if start else app

    yield make
    for app in started:
        app.stop()


@pytest.fixture(scope="module")
def live_server_process(_live_databases, request):
    """The real application, once per test module, on a fresh migrated database (see servers.LiveApp for its helpers).

    A module variable ``LIVE_SETUP = [("import_scheme", "schemes/library/…"), …]`` names the manage.py commands to run
    before it starts, ``LIVE_ENV = {…}`` further environment."""
    app = _live_databases.new(dict(getattr(request.module, "LIVE_ENV", {})))
    for command in getattr(request.module, "LIVE_SETUP", ()):
        app.manage(*command)
    app.start()
    yield app
    app.stop()


# ---------------------------------------------------------------- browser
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
HEIGHTS = {1366: 768, 360: 740}
REPORT_CSP = """document.addEventListener('securitypolicyviolation', e =>
  console.error('CSP violation: ' + e.effectiveDirective + ' blocked ' + (e.blockedURI || 'inline') +
    ' at ' + e.sourceFile + ':' + e.lineNumber))"""


@pytest.fixture(scope="session")
def browser(chromium_path):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_ARGUMENTS, headless=True)
        yield chromium
        chromium.close()


class BrowserGuard:
    """Collects what no page may do: console errors, uncaught exceptions, CSP violations, requests to other hosts."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.allowed: list[re.Pattern] = []

    def allow(self, pattern: str) -> None:
        """Expect a console message, e.g. ``page_guard.allow(r"status of 409")`` in a test of a refusal."""
        self.allowed.append(re.compile(pattern))

    def _note(self, problem: str) -> None:
        self.problems.append(problem)

    def _host(self, url: str) -> None:
        parts = urlsplit(url)
        ours = {urlsplit(app.url).netloc for app in LiveApp.running}
        if parts.scheme not in {"data", "blob", "about", "chrome", "chrome-extension"} and parts.netloc not in ours:
            self._note(f"request to another host: {url}")

    def watch(self, context) -> None:
        context.add_init_script(REPORT_CSP)
        context.on("console", self._console)
        context.on("weberror", lambda error: self._note(f"uncaught exception: {error.error}"))
        context.on("request", lambda request: self._host(request.url))
        context.on("page", lambda page: page.on("websocket", lambda line: self._host(line.url)))

    def _console(self, message) -> None:
        where = message.location or {}
        # a page without a template of its own (a download, /healthz) makes Chromium ask for an icon
        if message.type == "error" and not str(where.get("url", "")).endswith("/favicon.ico"):
            self._note(f"console error: {message.text} ({where.get('url', '')}:{where.get('lineNumber', '')})")

    def remaining(self) -> list[str]:
        return [text for text in self.problems if not any(pattern.search(text) for pattern in self.allowed)]


@pytest.fixture
def page_guard() -> BrowserGuard:
    return BrowserGuard()


@pytest.fixture
def page_at(browser, page_guard, request):
    """A factory of pages: ``page = page_at(1366)``, ``page = page_at(360)``; each has cookies of its own. Relative
    addresses work where the test uses live_server_process; else pass ``base_url=app.url``. Further arguments go to
    Playwright's new_context."""
    contexts = []
    base = request.getfixturevalue("live_server_process").url if "live_server_process" in request.fixturenames else None

    def open_page(width: int = 1366, **options):
        narrow = width < 600
        options = {
            "viewport": {"width": width, "height": HEIGHTS.get(width, 768)},
            "locale": "zh-CN",
            "timezone_id": "Asia/Shanghai",
            "base_url": base,
            "is_mobile": narrow,
            "has_touch": narrow,
        } | options
        context = browser.new_context(**options)
        context.set_default_timeout(10_000)
        page_guard.watch(context)
        contexts.append(context)
        return context.new_page()

    yield open_page

    pages = [page for context in contexts for page in context.pages]
    for page in pages:  # let the events that are still under way arrive
        with contextlib.suppress(Exception):
            page.evaluate("() => new Promise(done => setTimeout(done, 20))")
    problems = page_guard.remaining()
    failed = any(report.failed for report in request.node.stash.get(OUTCOME, {}).values())
    if failed or problems:
        for number, page in enumerate(pages):
            with contextlib.suppress(Exception):
                page.screenshot(path=_artefact(request.node, f"{number}.png"), full_page=True)
    for context in contexts:
        context.close()
    if problems:
        pytest.fail("页面有问题 · the page misbehaved:\n  " + "\n  ".join(problems), pytrace=False)


@pytest.fixture
def screenshot(request):
    """``screenshot(page, "scores-360")`` keeps artefacts/scores-360.png."""

    def take(page, name: str, full_page: bool = True) -> Path:
        ARTEFACTS.mkdir(exist_ok=True)
        path = ARTEFACTS / f"{name}.png"
        page.screenshot(path=path, full_page=full_page)
        return path

    return take


@pytest.fixture
def no_sideways_scroll():
    """``no_sideways_scroll(page)`` fails if the page is wider than its window, naming the elements that stick out."""

    def check(page) -> None:
        wide = page.evaluate(
            """() => {
              const room = document.documentElement.clientWidth
              if (document.documentElement.scrollWidth <= room) return null
              return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > room + 1)
                .slice(0, 5).map(e => e.outerHTML.slice(0, 120))
            }"""
        )
        assert wide is None, "页面比屏幕宽 · the page is wider than its window: " + "; ".join(wide)

    return check
