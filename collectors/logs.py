"""Log files: counts per component and level as series, new and bursting templates as events."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from collectors.collector import Collected, Position
from collectors.log_book import LogBook, line_parser
from collectors.loglines import Line, exception_named
from collectors.settings_logs import LogSource
from collectors.tail import (
    Mark,
    Tail,
    matching_files,
    read_tail,
    renamed_from,
    rotated_from,
    split_lines,
    still_there,
    was_rotated,
)
from domain.errors import SourceError
from domain.timestamps import to_microseconds

_MOST_MARKS = 500
_BEING_PACKED_S = 120.0


class LogCollector:
    """Reads what was appended to log files, follows rotation, and counts."""

    kind = "logs"

    def __init__(self, settings: LogSource) -> None:
        self.name = settings.name
        self._settings = settings
        self._parser = line_parser(settings)

    def collect(self, since: Position, now: datetime) -> Collected:
        paths = matching_files(self._settings.paths)
        if not paths:
            raise SourceError(self.name, f"no file matches {', '.join(self._settings.paths)}")
        book = LogBook(self._settings, since.cursor, now)
        before = {name: Mark.of_json(parts) for name, parts in since.cursor.get("files", {}).items()}
        page = _Page(book, now, before, frozenset(paths))
        budget = max(10_000, self._settings.max_bytes // len(paths))
        for path in paths:
            self._read(path, budget, page)
        if not page.after:
            raise SourceError(self.name, f"no file can be read: {book.intake.notes()[0]}")
        # Another file may still bring lines of the cells behind the slowest one.
        latest = book.cell_of(to_microseconds(now))
        book.close(min([*page.reached, latest]) if page.more else latest)
        book.caught_up = book.caught_up or not page.more
        return Collected(
            book.intake.batch(),
            tuple(book.events),
            Position(since.watermark if page.more else now, {"files": page.kept(), **book.as_json()}),
            book.intake.notes(),
            page.more,
        )

    def _read(self, path: Path, budget: int, page: "_Page") -> None:
        try:
            own = page.before.get(str(path))
            gone = own is not None and not still_there(path, own)
            mark = renamed_from(path, page.before) if own is None or gone else own
            if gone and own is not None:
                self._read_rotated(path, own, budget, page)
            tail = read_tail(path, mark, budget)
            if own is None and mark is None and not self._settings.from_start and not page.book.caught_up:
                while tail.more:
                    tail = read_tail(path, tail.mark, budget)
                tail = Tail(b"", tail.mark)
        except OSError as error:
            page.book.intake.skip(f"files refused: {path.name}: {error.strerror or error}")
            return
        self._take(path, tail, page)

    def _read_rotated(self, path: Path, mark: Mark, budget: int, page: "_Page") -> None:
        """What was written to a file between the last read and its rotation."""
        old = rotated_from(path, mark)
        if old is None and was_rotated(path):
            return  # the oldest one was thrown away
        if old is None:
            page.book.intake.skip(f"files rotated out of reach: {path.name}: some lines may be missing")
        elif old not in page.paths:
            known = replace(mark, size=-1, modified_ns=-1, inode=0)
            try:
                rest = read_tail(old, known, budget * 4)
            except OSError as error:
                # While it is packed the next read tries again; what stays broken must not hold up the rest.
                if old.stat().st_mtime > page.now.timestamp() - _BEING_PACKED_S:
                    raise
                reason = f"{old.name}: {error.strerror or error}: some lines may be missing"
                page.book.intake.skip(f"files rotated out of reach: {reason}")
                return
            self._take(old, Tail(rest.data, rest.mark), page)
            if rest.more:
                page.book.intake.skip(
                    f"files rotated with more to read than fits: {old.name}: some lines are missing"
                )

    def _take(self, path: Path, tail: Tail, page: "_Page") -> None:
        latest, stamped, book = None, tail.mark.stamped, page.book
        fallback = path.name.split(".")[0]
        for line in self._lines(tail, page.now):
            stamped = stamped or line.micros is not None
            micros = line.micros if line.micros is not None else latest or to_microseconds(page.now)
            if book.enter(line, micros, fallback):
                latest = micros
        page.after[str(path)] = replace(tail.mark, stamped=stamped)
        if tail.more:
            page.more = True
            page.reached.append(book.cell_of(latest))

    def _lines(self, tail: Tail, now: datetime) -> Iterator[Line]:
        """The lines with what belongs to them: of a stack trace the exception that it ends in."""
        stamped, told, failure = tail.mark.stamped, None, ""
        for text in split_lines(tail.data):
            line = self._parser.parse(text, now)
            if line is None or (stamped and line.micros is None and not line.names_level):
                # Indented, or without a time where lines have one: it continues the line before.
                failure = exception_named(text) or failure
                continue
            if told is not None:
                yield told.ended_in(failure)
            stamped, told, failure = stamped or line.micros is not None, line, ""
        if told is not None:
            yield told.ended_in(failure)


@dataclass(slots=True)
class _Page:
    """What one page gathers."""

    book: LogBook
    now: datetime
    before: Mapping[str, Mark]
    paths: frozenset[Path]
    after: dict[str, Mark] = field(default_factory=dict)
    reached: list[int] = field(default_factory=list)
    more: bool = False

    def kept(self) -> dict[str, list[object]]:
        """The marks of the files read, and of as many others as are worth remembering."""
        others = [name for name in self.before if name not in self.after][-_MOST_MARKS:]
        marks = {**{name: self.before[name] for name in others}, **self.after}
        return {name: mark.as_json() for name, mark in marks.items()}
