"""A temporary database for the measurements: never the configured one."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings


@contextlib.contextmanager
def temporary(server_url: str) -> Iterator[dict[str, str]]:
    """Environment of a process that works on a fresh, migrated database; the database is removed afterwards.

    Empty `server_url`: a SQLite file. Otherwise a database of its own on that PostgreSQL server; the one named in the
    URL is only connected to, in order to create it.
    """
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="zeren-bench-"))
        url = stack.enter_context(_database(server_url, Path(directory)))
        environment = os.environ | {
            "DATABASE_URL": url,
            "REDIS_URL": "",
            "ZEREN_ENV": "development",
            "SERVE_HTTPS": "0",
            "DEBUG": "0",
            "LOG_LEVEL": "ERROR",
            "MEDIA_ROOT": directory,
            "PYTHONUNBUFFERED": "1",
        }
        manage(environment, "migrate", "--verbosity", "0")
        yield environment


@contextlib.contextmanager
def _database(server_url: str, directory: Path) -> Iterator[str]:
    if not server_url:
        yield f"sqlite:///{directory / 'bench.sqlite3'}"
        return
    import psycopg

    name = f"zeren_bench_{os.getpid()}"
    parts = urlsplit(server_url)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def manage(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments],
        env=environment,
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout
