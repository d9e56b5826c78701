"""The journal of systemd: read by `journalctl -o json`, or from a file that it wrote."""

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from collectors.collector import Collected, Position
from collectors.gate import clean_text
from collectors.log_book import LogBook, line_parser
from collectors.loglines import Line
from collectors.settings_logs import JournalSource
from collectors.tail import Mark, read_tail
from domain.errors import SourceError
from domain.timestamps import to_microseconds

_FIELDS = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,_COMM"
_LEVELS = ("CRITICAL", "CRITICAL", "CRITICAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG")
_PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_MOST_MESSAGE = 4_000
_CHUNK = 65_536
# Shares of the deadline: of the whole read, and what is left at least for a second run.
_ALL_OF_IT, _SECOND_RUN = 0.8, 0.15


@dataclass(frozen=True, slots=True)
class _Output:
    """Whole lines of the program and the bytes of a broken one, whether it was stopped, and how it ended."""

    data: bytes
    broken: int
    stopped: bool
    code: int
    complaint: str


class JournalCollector:
    """Reads what came into the journal since the last entry read."""

    kind = "journald"

    def __init__(self, settings: JournalSource) -> None:
        self.name = settings.name
        self._settings = settings
        self._parser = line_parser(settings)

    def collect(self, since: Position, now: datetime) -> Collected:
        book = LogBook(self._settings, since.cursor, now)
        place: dict[str, Any] = {"journal": since.cursor.get("journal"), "file": since.cursor.get("file")}
        data, more = self._file(place) if self._settings.file else self._journal(place, since, now, book)
        latest = None
        for text in data.split(b"\n"):
            entry = _entry(text)
            if entry is None:
                if text.strip():
                    book.intake.skip("entries refused: no JSON of a journal entry")
                continue
            place["journal"] = entry.get("__CURSOR") or place["journal"]
            latest = self._enter(entry, book) or latest
        book.close(book.cell_of(latest) if more else book.cell_of(to_microseconds(now)))
        book.caught_up = book.caught_up or not more
        return Collected(
            book.intake.batch(),
            tuple(book.events),
            Position(since.watermark if more else now, {**place, **book.as_json()}),
            book.intake.notes(),
            more,
        )

    def _enter(self, entry: Mapping[str, Any], book: LogBook) -> int | None:
        micros = _micros(entry)
        message = _message(entry)
        if micros is None or message is None or not self._is_wanted(entry):
            return None
        for text in message.splitlines()[:1] or [""]:
            line = self._parser.parse(text) or Line(
                None, "INFO", "", clean_text(text, _MOST_MESSAGE) or "(empty)"
            )
            level = line.level if line.names_level else _LEVELS[_priority(entry)]
            book.enter(replace(line, level=level), micros, _unit(entry))
        return micros

    def _is_wanted(self, entry: Mapping[str, Any]) -> bool:
        """What the program was asked for; a file may hold more."""
        units, identifiers = self._settings.only_units, self._settings.identifiers
        unit = str(entry.get("_SYSTEMD_UNIT", ""))
        return (
            (not units or unit in units or unit.removesuffix(".service") in units)
            and (not identifiers or entry.get("SYSLOG_IDENTIFIER") in identifiers)
            and _priority(entry) <= _PRIORITIES.index(self._settings.priority)
        )

    def _file(self, place: dict[str, Any]) -> tuple[bytes, bool]:
        path = Path(str(self._settings.file))
        mark = Mark.of_json(place["file"]) if place["file"] else None
        if path.exists() and not path.is_file():
            # To open a pipe is to wait for whoever writes into it.
            raise SourceError(self.name, f"{path}: is no regular file")
        try:
            tail = read_tail(path, mark, self._settings.max_bytes)
        except OSError as error:
            raise SourceError(self.name, f"{path}: {error.strerror or error}") from None
        place["file"] = tail.mark.as_json()
        return tail.data, tail.more

    def _journal(
        self, place: Mapping[str, Any], since: Position, now: datetime, book: LogBook
    ) -> tuple[bytes, bool]:
        began = since.watermark or now - timedelta(hours=self._settings.backfill_hours)
        by_time = f"--since=@{began.timestamp():.6f}"
        cursor = place["journal"]
        where = [f"--after-cursor={cursor}" if cursor else by_time]
        until = time.monotonic() + _ALL_OF_IT * self._settings.deadline_seconds
        output = self._run(where, until)
        if cursor and output.code and not output.stopped and not output.data:
            # The journal was vacuumed or replaced: the cursor means nothing any more.
            book.intake.skip("position lost in the journal: read by time instead")
            where = [by_time]
            output = self._run(where, until)
        if output.stopped and not output.data and output.broken:
            output = self._one_entry(where, until, book)
        if output.code and not output.stopped:
            raise SourceError(self.name, f"{self._settings.program} failed: {output.complaint}")
        if output.stopped and not output.data:
            raise SourceError(self.name, f"{self._settings.program} did not answer in time")
        return output.data, output.stopped

    def _one_entry(self, where: Sequence[str], until: float, book: LogBook) -> _Output:
        """The entry that is too long for a page, without its long fields: else it would be met for ever."""
        least = time.monotonic() + _SECOND_RUN * self._settings.deadline_seconds
        output = self._run(where, max(until, least), whole=False)
        first = output.data[: output.data.find(b"\n") + 1]
        if not first:
            return output
        book.intake.skip(
            "entries read without their long fields: longer than max_bytes, or than can be read in time"
        )
        return replace(output, data=first, stopped=True)

    def _run(self, where: Sequence[str], until: float, *, whole: bool = True) -> _Output:
        """Run the program up to a time on `time.monotonic`; without `whole`, long fields come as null."""
        command = [
            self._settings.program,
            *("--output=json", f"--output-fields={_FIELDS}", "--no-pager", "--quiet"),
            *(["--all"] if whole else []),
            f"--priority={self._settings.priority}",
            *(f"--unit={name}" for name in self._settings.only_units),
            *(f"--identifier={name}" for name in self._settings.identifiers),
            *where,
        ]
        environ = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
        with tempfile.TemporaryFile() as complaints:
            try:
                process = subprocess.Popen(  # noqa: S603 - the program is the operator's own configuration
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=complaints,
                    env=environ,
                    start_new_session=True,
                )
            except OSError as error:
                reason = error.strerror or str(error)
                raise SourceError(
                    self.name, f"{self._settings.program} cannot be run: {reason}", permanent=True
                ) from None
            return self._read(process, complaints, until)

    def _read(self, process: "subprocess.Popen[bytes]", complaints: IO[bytes], until: float) -> _Output:
        """Read to the end, the bound or the deadline; the program never outlives this."""
        timer = threading.Timer(max(0.0, until - time.monotonic()), _end, [process])
        timer.daemon = True
        timer.start()
        data = bytearray()
        try:
            with process:
                stream = process.stdout
                while stream is not None and len(data) < self._settings.max_bytes:
                    chunk = stream.read(_CHUNK)
                    if not chunk:
                        break
                    data += chunk
                full = len(data) >= self._settings.max_bytes
                if full:
                    _end(process)
        finally:
            timer.cancel()
        stopped = full or time.monotonic() >= until
        whole = data.rfind(b"\n") + 1 if stopped else len(data)
        complaints.seek(0)
        complaint = clean_text(complaints.read(2_000).decode("utf-8", "replace").split("\n")[0], 200)
        reason = complaint or "no reason given"
        return _Output(bytes(data[:whole]), len(data) - whole, stopped, process.returncode, reason)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the program and what it started: a child that holds the pipe open would be waited for."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _entry(text: bytes) -> Mapping[str, Any] | None:
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _micros(entry: Mapping[str, Any]) -> int | None:
    raw = str(entry.get("__REALTIME_TIMESTAMP", ""))
    return int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 18 else None


def _message(entry: Mapping[str, Any]) -> str | None:
    """The message; what is no UTF-8 comes as a list of bytes, what is too long as null."""
    raw = entry.get("MESSAGE")
    if isinstance(raw, list):
        if raw and isinstance(raw[0], str):
            return str(raw[0])
        kept = bytes(one for one in raw[:_MOST_MESSAGE] if isinstance(one, int) and 0 <= one < 256)
        return kept.decode("utf-8", "replace")
    return raw if isinstance(raw, str) else None


def _priority(entry: Mapping[str, Any]) -> int:
    raw = str(entry.get("PRIORITY", "6"))
    return int(raw) if raw in set("01234567") else 6


def _unit(entry: Mapping[str, Any]) -> str:
    name = entry.get("_SYSTEMD_UNIT") or entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM") or "journal"
    return clean_text(str(name), 100).removesuffix(".service") or "journal"
