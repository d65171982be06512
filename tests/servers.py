"""Private servers for the tests: PostgreSQL, Redis, and where Chromium is.

Each server lives in a temporary directory of its own, listens on loopback only, and dies with the process that
started it: by ``stop()``, at exit, and by the kernel's parent-death signal should that process be killed.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Below the usual ephemeral range (32768–60999): no outgoing connection can take a port between choice and use.
PORTS = range(20000, 32000)
PR_SET_PDEATHSIG = 1
MISSING = {
    "postgres": "未安装 PostgreSQL(找不到 initdb) · PostgreSQL is not installed (no initdb)",
    "redis": "未安装 redis-server · redis-server is not installed",
    "chromium": "未安装 Chromium · Chromium is not installed (apt install chromium, or set CHROMIUM)",
}
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


class Missing(Exception):
    """A program is not installed; the message is the reason of the skip."""


def free_port() -> int:
    for _ in range(200):
        port = random.SystemRandom().choice(PORTS)  # not the seeded generator: pytest-randomly resets that one
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free loopback port between 20000 and 32000")


def die_with_parent(signum: int = signal.SIGTERM):
    """A ``preexec_fn``: the kernel sends ``signum`` when the starting process ends, however it ends."""
    parent = os.getpid()

    def prepare() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
            if os.getppid() != parent:  # it ended in between
                os._exit(1)

    return prepare


def stop_group(process: subprocess.Popen, first: int = signal.SIGTERM, patience: float = 10) -> None:
    """End a process started in a session of its own, and everything that it started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(first)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)


# ---------------------------------------------------------------- where the programs are
def postgres_bin() -> Path | None:
    places: list[Path] = []
    if os.environ.get("PG_BIN"):
        places.append(Path(os.environ["PG_BIN"]))
    if config := shutil.which("pg_config"):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            places.append(
                Path(subprocess.run([config, "--bindir"], capture_output=True, text=True, timeout=10).stdout.strip())
            )
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    places += sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
    if initdb := shutil.which("initdb"):
        places.append(Path(initdb).parent)
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    return None


def redis_bin() -> str | None:
    return shutil.which("redis-server") or shutil.which("valkey-server")


def chromium_bin() -> str | None:
    if chosen := os.environ.get("CHROMIUM"):
        return chosen if os.access(chosen, os.X_OK) else None
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if found := shutil.which(name):
            return found
    return None


# ---------------------------------------------------------------- servers
class Server:
    """Start with ``with`` or ``start()``; ``url`` is for DATABASE_URL or REDIS_URL."""

    name = ""
    stop_signal = signal.SIGTERM
    death_signal = signal.SIGTERM

    def __init__(self) -> None:
        self.process: subprocess.Popen | None = None
        self.directory: Path | None = None
        self.port = 0
        self.account: pwd.struct_passwd | None = None

    # what a server has to say
    def prepare(self) -> None: ...
    def command(self) -> list[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        raise NotImplementedError

    @property
    def url(self) -> str:
        raise NotImplementedError

    # running it
    def identity(self) -> dict:
        """Arguments for subprocess: as root, become somebody else (PostgreSQL refuses to run as root)."""
        if os.geteuid() != 0:
            return {}
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                self.account = pwd.getpwnam(name)
                break
        if self.account is None:
            raise Missing("没有可用的普通账户(postgres、nobody) · no unprivileged account to run a server as")
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        return kept | {"LC_ALL": "C.UTF-8", "HOME": str(self.directory)}

    def start(self):
        sweep()
        self.directory = Path(tempfile.mkdtemp(prefix=f"zeren-{os.getpid()}-{self.name}-"))
        atexit.register(self.stop)
        try:
            identity = self.identity()
            if self.account:
                os.chown(self.directory, self.account.pw_uid, self.account.pw_gid)
            self.prepare()
            for _ in range(5):
                self.port = free_port()
                if self._launch(identity):
                    return self
            raise RuntimeError(f"{self.name} did not start:\n{self.log()}")
        except BaseException:
            self.stop()
            raise

    def _launch(self, identity: dict) -> bool:
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=self.environment(),
                start_new_session=True,  # Ctrl-C is for the tests; the server is stopped after them
                preexec_fn=die_with_parent(self.death_signal),
                **identity,
            )
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            if self.ready():
                return True
            time.sleep(0.05)
        stop_group(self.process, self.stop_signal)
        return False

    def log(self) -> str:
        with contextlib.suppress(OSError, AttributeError):
            return (self.directory / "server.log").read_text(errors="replace")[-4000:]
        return ""

    def stop(self) -> None:
        if self.process is not None:
            stop_group(self.process, self.stop_signal)
            self.process = None
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = None
        atexit.unregister(self.stop)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exc) -> None:
        self.stop()


class Postgres(Server):
    """PostgreSQL with a database ``zeren`` and a role of that name: it may create databases, but is no superuser."""

    name = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown
    death_signal = signal.SIGQUIT  # immediate shutdown: the directory is thrown away

    def prepare(self) -> None:
        bindir = postgres_bin()
        if bindir is None:
            raise Missing(MISSING["postgres"])
        self.bindir = bindir
        self._run(
            "initdb", "--pgdata", str(self.data), "--username", "postgres", "--auth", "trust",
            "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync",
        )  # fmt: skip
        setup = "CREATE ROLE zeren LOGIN CREATEDB;\nCREATE DATABASE zeren OWNER zeren;\n"
        self._run("postgres", "--single", "-D", str(self.data), "postgres", given=setup)

    def _run(self, program: str, *arguments: str, given: str | None = None) -> None:
        done = subprocess.run(
            [str(self.bindir / program), *arguments],
            input=given,
            capture_output=True,
            text=True,
            cwd=self.directory,
            env=self.environment(),
            timeout=120,
            **self.identity(),
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def command(self) -> list[str]:
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.directory),
            "max_connections": 200,
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
            "deadlock_timeout": "500ms",
            "timezone": "UTC",
        }
        return [str(self.bindir / "postgres"), "-D", str(self.data)] + [
            f"--{key}={value}" for key, value in options.items()
        ]

    def ready(self) -> bool:
        # the last line of postmaster.pid says so; a connection alone may be answered by "starting up"
        with contextlib.suppress(OSError):
            return "ready" in (self.data / "postmaster.pid").read_text().splitlines()[-1]
        return False

    @property
    def url(self) -> str:
        return f"postgres://zeren@127.0.0.1:{self.port}/zeren"


class Redis(Server):
    """Redis without persistence."""

    name = "redis"

    def prepare(self) -> None:
        program = redis_bin()
        if program is None:
            raise Missing(MISSING["redis"])
        self.program = program

    def command(self) -> list[str]:
        return [
            self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", str(self.directory), "--databases", "64",
        ]  # fmt: skip

    def ready(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as line:
            line.sendall(b"PING\r\n")
            return line.recv(16).startswith(b"+PONG")
        return False

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


def sweep() -> None:
    """Directories whose owner was killed before it could remove them."""
    for path in Path(tempfile.gettempdir()).glob("zeren-*-*"):
        owner = path.name.split("-")[1]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists() and Path("/proc/self").exists():
            shutil.rmtree(path, ignore_errors=True)


# ---------------------------------------------------------------- the application itself
ROOT = Path(__file__).resolve().parent.parent


class LiveApp:
    """The real application: uvicorn in a process of its own, with its own database and media directory.

    ``url``               base URL, http://127.0.0.1:PORT
    ``manage(*args)``     runs manage.py against the same database, returns the CompletedProcess (text)
    ``shell(code)``       runs Python inside Django against the same database, returns what it printed
    ``spawn(*argv)``      a further process with the same environment (a Celery worker, say), ended with the app
    ``sibling()``         a second web process on the same database and Redis
    ``kill()``            SIGKILL, as in a power cut; ``start()`` brings it up again on the same port
    """

    running: list[LiveApp] = []

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.directory = directory
        self.environment = environment
        self.port = 0
        self.process: subprocess.Popen | None = None
        self.others: list[subprocess.Popen] = []
        self.siblings: list[LiveApp] = []
        self.log_path = directory / "app.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def media(self) -> Path:
        return Path(self.environment["MEDIA_ROOT"])

    def start(self, patience: float = 60) -> LiveApp:
        if self not in LiveApp.running:
            LiveApp.running.append(self)
            atexit.register(self.stop)
        for _ in range(3):
            self.port = self.port or free_port()
            self.process = self._popen(
                [
                    sys.executable,
                    "-m",
                    "uvicorn",
                    "config.asgi:application",
                    "--host",
                    "127.0.0.1",
                    "--port",
                    str(self.port),
                ]
            )
            until = time.monotonic() + patience
            while time.monotonic() < until and self.process.poll() is None:
                if self._healthy():
                    return self
                time.sleep(0.05)
            stop_group(self.process)
            if "address already in use" not in self.log().lower():
                break
            self.port = 0
        problem = f"the application did not answer GET /healthz with 200:\n{self.log()}"
        self.stop()
        raise RuntimeError(problem)

    def _popen(self, argv: list[str]) -> subprocess.Popen:
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                argv,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )

    def _healthy(self) -> bool:
        import http.client

        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            line.request("GET", "/healthz")
            return line.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            line.close()

    def manage(self, *arguments: str, given: str | None = None, check: bool = True, timeout: float = 110):
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *map(str, arguments)],
            cwd=ROOT,
            env=self.environment,
            input=given if given is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        if check and done.returncode:
            raise AssertionError(
                f"manage.py {' '.join(map(str, arguments))} ended with {done.returncode}:\n"
                f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
            )
        return done

    def shell(self, code: str) -> str:
        return self.manage("shell", "--verbosity", "0", "-c", code).stdout

    def spawn(self, *argv: str) -> subprocess.Popen:
        process = self._popen(list(argv))
        self.others.append(process)
        return process

    def sibling(self, **environment: str) -> LiveApp:
        directory = self.directory / f"sibling-{len(self.siblings) + 1}"
        directory.mkdir()
        other = LiveApp(directory, self.environment | environment)
        self.siblings.append(other)
        return other.start()

    def log(self, characters: int = 6000) -> str:
        try:
            return self.log_path.read_text(errors="replace")[-characters:]
        except OSError:
            return ""

    def kill(self) -> None:
        if self.process is not None:
            stop_group(self.process, signal.SIGKILL)
            self.process = None

    def stop(self) -> None:
        for other in self.siblings:
            other.stop()
        for process in self.others:
            stop_group(process)
        self.others.clear()
        if self.process is not None:
            stop_group(self.process)
            self.process = None
        if self in LiveApp.running:
            LiveApp.running.remove(self)
        atexit.unregister(self.stop)
