#!/usr/bin/env python3
"""All tests, in the passes that they need.

    python tests/run.py                         everything (make test)
    python tests/run.py sqlite                  one pass: sqlite, postgres or browser; several may be named
    python tests/run.py postgres -- tests/tasks -k handover -x

Passes
    sqlite     everything but the browser tests, on SQLite with the in-memory channel layer
    postgres   the same on a private PostgreSQL and a private Redis; pure tests are not repeated
    browser    tests/browser in Chromium, one at a time; screenshots of failures in artefacts/

A missing program (PostgreSQL, Redis, Chromium) skips the tests that need it; with REQUIRE_ALL=1 any skip is a failure.
TEST_WORKERS sets the number of parallel workers (2).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import servers  # noqa: E402

PASSES = {
    "sqlite": "SQLite",
    "postgres": "PostgreSQL + Redis",
    "browser": "浏览器 · browser",
    "browser-servers": "浏览器 + PostgreSQL + Redis · browser",
}
REQUIRE_ALL = os.environ.get("REQUIRE_ALL") == "1"
NO_TESTS = 5


def say(text: str = "") -> None:
    print(text, flush=True)


def browser_tests_need_servers() -> bool:
    sources = (ROOT / "tests" / "browser").rglob("*.py")
    return any(
        re.search(r"\b(postgres_only|redis_only|pg_url|redis_url)\b", path.read_text("utf-8")) for path in sources
    )


class Ended(KeyboardInterrupt):
    """SIGTERM or SIGHUP: unlike Ctrl-C it did not reach pytest."""


def call(command: list[str], environment: dict[str, str]) -> int:
    process = subprocess.Popen(command, cwd=ROOT, env=environment, preexec_fn=servers.die_with_parent(signal.SIGINT))
    try:
        return process.wait()
    except BaseException as reason:
        if isinstance(reason, Ended):
            process.send_signal(signal.SIGINT)
        for patience in (20, 5):  # time for pytest to end what it started
            try:
                process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
        else:
            process.kill()
        raise


class Runner:
    def __init__(self, arguments: list[str]) -> None:
        self.arguments = arguments
        self.urls: dict[str, str] = {}
        self.missing: dict[str, str] = {}
        self.stack = contextlib.ExitStack()
        self.results: list[tuple[str, bool, str, dict]] = []

    def start_servers(self) -> None:
        for name, kind in (("DATABASE_URL", servers.Postgres), ("REDIS_URL", servers.Redis)):
            if name in self.urls or name in self.missing:
                continue
            began = time.monotonic()
            try:
                self.urls[name] = self.stack.enter_context(kind()).url
                say(f"{kind.name}: {self.urls[name]} ({time.monotonic() - began:.1f} s)")
            except servers.Missing as reason:
                self.missing[name] = str(reason)
                say(f"{kind.name}: {reason}")

    def run(self, name: str) -> None:
        say(f"\n{'=' * 100}\n== {PASSES[name]}\n{'=' * 100}")
        with_servers = name in {"postgres", "browser-servers"}
        if with_servers:
            self.start_servers()
        environment = {key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "REDIS_URL"}}
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        if with_servers:
            environment |= self.urls
        parallel = ["-n", "0" if name.startswith("browser") else os.environ.get("TEST_WORKERS", "2")]
        where = [] if self.arguments or not name.startswith("browser") else ["tests/browser"]
        with tempfile.NamedTemporaryFile(suffix=".json") as summary:
            environment |= {"ZEREN_TEST_PASS": name, "ZEREN_TEST_SUMMARY": summary.name}
            began = time.monotonic()
            code = call([sys.executable, "-m", "pytest", *parallel, *where, *self.arguments], environment)
            seconds = time.monotonic() - began
            text = Path(summary.name).read_text()
        counts = json.loads(text) if text else {}
        # a selection given by hand may have nothing in this pass; a whole pass without a single test is a mistake
        empty_is_fine = bool(self.arguments) or name == "browser-servers" or (bool(self.missing) and not REQUIRE_ALL)
        good = code == 0 or (code == NO_TESTS and empty_is_fine)
        notes = [
            f"{counts.get(key, 0)} {key}"
            for key in ("passed", "failed", "error", "skipped", "xfailed")
            if counts.get(key)
        ]
        if code == NO_TESTS:
            notes.append("没有测试 · no tests")
        elif not counts or code not in (0, 1):
            notes.append(f"pytest 中断 · pytest broke off ({code})")
        if with_servers and self.missing:
            notes += self.missing.values()
            good = good and not REQUIRE_ALL
        self.results.append((name, good, f"{', '.join(notes)} ({seconds:.0f} s)", counts))

    def summary(self) -> int:
        say(f"\n{'=' * 100}\n== 总结 · Summary\n{'=' * 100}")
        for name, good, notes, _counts in self.results:
            say(f"{'通过 PASS' if good else '失败 FAIL'}  {PASSES[name]}: {notes}")
        total = {
            key: sum(counts.get(key, 0) for *_rest, counts in self.results)
            for key in ("passed", "failed", "error", "skipped")
        }
        good = all(good for _name, good, *_rest in self.results)
        say(
            f"{'测试全部通过 · ALL PASSES OK' if good else '测试失败 · TESTS FAILED'}: {total['passed']} passed, "
            f"{total['failed'] + total['error']} failed, {total['skipped']} skipped"
        )
        return 0 if good else 1


def interrupted(signum, _frame) -> None:
    raise Ended(signum)


def main() -> int:
    words = sys.argv[1:]
    extra = words[words.index("--") + 1 :] if "--" in words else []
    words = words[: words.index("--")] if "--" in words else words
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "passes", nargs="*", metavar="pass", help="sqlite, postgres, browser; all of them if none is named"
    )
    chosen = parser.parse_args(words).passes or ["sqlite", "postgres", "browser"]
    if unknown := set(chosen) - set(PASSES):
        parser.error(f"unknown pass: {', '.join(sorted(unknown))}; pytest's arguments come after --")
    if "browser" in chosen and "browser-servers" not in chosen and browser_tests_need_servers():
        chosen.append("browser-servers")
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, interrupted)
    runner = Runner(extra)
    try:
        with runner.stack:
            for name in chosen:
                runner.run(name)
    except KeyboardInterrupt:
        say("\n测试已中断 · TESTS INTERRUPTED")
        return 130
    return runner.summary()


if __name__ == "__main__":
    sys.exit(main())
