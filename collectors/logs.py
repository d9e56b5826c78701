"""Log files: counts per component and level as series, new and bursting templates as events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from collectors.collector import Collected, Position
from collectors.drain import Template, TemplateMiner
from collectors.gate import clean_text
from collectors.intake import Intake
from collectors.log_counts import Burst, LineKind, LogCounts
from collectors.loglines import LEVELS, Line, LineParser
from collectors.settings_logs import LogSource
from collectors.tail import Mark, Tail, matching_files, read_tail, rotated_from, split_lines
from domain.errors import SourceError
from domain.event import Event
from domain.timestamps import MAX_FUTURE, from_microseconds, to_microseconds

_MAX_LABEL = 200
_MAX_EVENTS = 200
_QUIET_LEVELS = frozenset({"WARN", "INFO", "DEBUG"})
_SHARE_OF_PLACES = {"CRITICAL": 1.0, "ERROR": 1.0, "WARN": 0.75, "INFO": 0.5, "DEBUG": 0.25}
_SETTLED_LINES = 1_000
_SETTLED_CELLS_S = 6 * 3_600


@dataclass(slots=True)
class _State:
    """What the cursor holds, unpacked."""

    marks: dict[str, Any] = field(default_factory=dict)
    miner: TemplateMiner = field(default_factory=TemplateMiner)
    counts: LogCounts = field(default_factory=LogCounts)
    chosen: dict[LineKind, str] = field(default_factory=dict)
    lines: int = 0
    first_cell: int | None = None
    caught_up: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "files": self.marks,
            "miner": self.miner.as_json(),
            "counts": self.counts.as_json(),
            "chosen": [[*kind.as_json(), text] for kind, text in self.chosen.items()],
            "lines": self.lines,
            "first_cell": self.first_cell,
            "caught_up": self.caught_up,
        }

    @classmethod
    def of_json(cls, state: Mapping[str, Any], max_templates: int) -> "_State":
        return cls(
            dict(state.get("files", {})),
            TemplateMiner.of_json(state.get("miner", {}), max_templates),
            LogCounts.of_json(state.get("counts", {})),
            {LineKind(*parts[:3]): parts[3] for parts in state.get("chosen", ())},
            state.get("lines", 0),
            state.get("first_cell"),
            state.get("caught_up", False),
        )


class LogCollector:
    """Reads what was appended to log files, follows rotation, and counts.

    A cell becomes samples when it is over and all files were read past it. `log_lines{component,level}`
    has a value in every cell from then on, zero included; `log_template_lines` adds the template.
    """

    kind = "logs"

    def __init__(self, settings: LogSource) -> None:
        self.name = settings.name
        self._settings = settings
        self._step_us = settings.step * 1_000_000
        self._parser = LineParser(settings.pattern, ZoneInfo(settings.timezone))

    def collect(self, since: Position, now: datetime) -> Collected:
        paths = matching_files(self._settings.paths)
        if not paths:
            raise SourceError(self.name, f"no file matches {', '.join(self._settings.paths)}")
        page = _Page(_State.of_json(since.cursor, self._settings.max_templates), Intake(self._settings), now)
        budget = max(10_000, self._settings.max_bytes // len(paths))
        for path in paths:
            self._read(path, budget, page)
        self._close(page)
        state = page.state
        state.caught_up = state.caught_up or not page.more
        watermark = now if not page.more else since.watermark
        return Collected(
            page.intake.batch(),
            tuple(page.events),
            Position(watermark, state.as_json()),
            page.intake.notes(),
            page.more,
        )

    def _read(self, path: Path, budget: int, page: "_Page") -> None:
        before = page.state.marks.get(str(path))
        mark = Mark.of_json(before) if before else None
        try:
            tail = read_tail(path, mark, budget)
            if mark is None and not self._settings.from_start and not page.state.caught_up:
                while tail.more:
                    tail = read_tail(path, tail.mark, budget)
                tail = Tail(b"", tail.mark)
            if tail.restarted and mark is not None:
                self._read_rotated(path, mark, budget, page)
        except OSError as error:
            page.intake.skip(f"files refused: {path.name}: {error.strerror or error}")
            return
        self._take(path, tail, page)
        page.state.marks[str(path)] = tail.mark.as_json()

    def _read_rotated(self, path: Path, mark: Mark, budget: int, page: "_Page") -> None:
        """What was written to a file between the last read and its rotation."""
        old = rotated_from(path, mark)
        if old is None:
            page.intake.skip(f"files rotated out of reach: {path.name}: some lines may be missing")
            return
        rest = read_tail(old, Mark(mark.offset, mark.head, mark.head_bytes, -1, -1), budget * 4)
        self._take(path, rest, page)
        if rest.more:
            page.intake.skip(f"files rotated with more to read than fits: {old.name}: some lines are missing")

    def _take(self, path: Path, tail: Tail, page: "_Page") -> None:
        latest = None
        limit = to_microseconds(page.now + MAX_FUTURE)
        for text in split_lines(tail.data):
            line = self._parser.parse(text)
            if line is None:
                continue
            micros = line.micros if line.micros is not None else latest or to_microseconds(page.now)
            if not 0 <= micros <= limit:
                page.intake.skip("lines refused: their time is in the future or before 1970")
                continue
            latest = micros
            self._count(path, line, micros, page)
        if tail.more:
            page.more = True
            boundary = page.state.counts.boundary or 0
            page.reached.append(boundary if latest is None else latest // self._step_us)

    def _count(self, path: Path, line: Line, micros: int, page: "_Page") -> None:
        state = page.state
        template, is_new = state.miner.add(line.message)
        component = line.component or self._settings.component or path.name.split(".")[0]
        kind = LineKind(state.counts.component(component), line.level, template.id)
        cell = micros // self._step_us
        if not state.counts.add(cell, kind):
            page.intake.skip("lines refused: they come too late for their cell")
            return
        state.lines += 1
        state.first_cell = cell if state.first_cell is None else min(cell, state.first_cell)
        if is_new and self._is_worth_telling(line, cell, state):
            page.tell(self._new_template(kind, template, line, micros))

    def _is_worth_telling(self, line: Line, cell: int, state: _State) -> bool:
        """A first look at a log is full of new templates; quiet ones are only news much later."""
        if not state.caught_up:
            return False
        age = (cell - (state.first_cell or cell)) * self._settings.step
        settled = state.lines >= _SETTLED_LINES and age >= _SETTLED_CELLS_S
        return settled or line.level not in _QUIET_LEVELS

    def _close(self, page: "_Page") -> None:
        until = to_microseconds(page.now) // self._step_us
        if page.more:
            # Another file may still bring lines of the cells behind the slowest one.
            until = min([*page.reached, until])
        state = page.state
        for cell, counts in state.counts.close(until):
            self._emit(cell, counts, page)
            for burst in state.counts.bursts(cell, counts, self._settings.burst_factor):
                if state.caught_up:
                    self._tell_burst(burst, page)
        if len(state.counts.rates) > 5 * self._settings.max_templates:
            state.counts.forget(kind.template for kind in state.chosen)

    def _emit(self, cell: int, counts: Mapping[LineKind, int], page: "_Page") -> None:
        micros = cell * self._step_us
        totals = dict.fromkeys(sorted(page.state.counts.pairs), 0)
        for kind, count in counts.items():
            totals[kind.component, kind.level] += count
        for (component, level), count in totals.items():
            labels = {"component": component, "level": level}
            page.intake.add(page.intake.row("log_lines", labels, unit="lines"), micros, count)
        self._choose(counts, page.state)
        for kind, text in page.state.chosen.items():
            labels = {"component": kind.component, "level": kind.level, "template": text}
            row = page.intake.row("log_template_lines", labels, unit="lines")
            page.intake.add(row, micros, counts.get(kind, 0))

    def _choose(self, counts: Mapping[LineKind, int], state: _State) -> None:
        """Templates with series of their own: once chosen they stay, so that their series go on.

        Quiet levels may not fill all places: the errors of an incident come late and need theirs.
        """
        fresh = [kind for kind in counts if kind not in state.chosen]
        for kind in sorted(fresh, key=lambda one: (LEVELS.index(one.level), -counts[one])):
            room = self._settings.template_series * _SHARE_OF_PLACES[kind.level]
            template = state.miner.get(kind.template)
            if template is not None and len(state.chosen) < room:
                state.chosen[kind] = clean_text(template.text, _MAX_LABEL) or "(empty)"

    def _tell_burst(self, burst: Burst, page: "_Page") -> None:
        template = page.state.miner.get(burst.kind.template)
        if template is None:
            return
        labels = {"novelty": "burst", "count": str(burst.count), "usual": f"{burst.usual:.1f}"}
        micros = burst.cell * self._step_us
        page.tell(self._event(burst.kind, template, template.text, micros, labels))

    def _new_template(self, kind: LineKind, template: Template, line: Line, micros: int) -> Event:
        return self._event(kind, template, line.message, micros, {"novelty": "new_template"})

    def _event(
        self, kind: LineKind, template: Template, text: str, micros: int, more: Mapping[str, str]
    ) -> Event:
        shown = clean_text(template.text, _MAX_LABEL) or "(empty)"
        labels = {"kind": "log", "component": kind.component, "level": kind.level, "template": shown, **more}
        key = f"log|{self.name}|{kind.component}|{kind.level}|{kind.template}|{more['novelty']}|{micros}"
        return Event(
            timestamp=from_microseconds(micros),
            source=self._settings.source,
            text=clean_text(text, 2_000) or "(empty)",
            labels={**labels, **self._settings.labels},
            dedupe_key=key,
        )


@dataclass(slots=True)
class _Page:
    """What one page gathers."""

    state: _State
    intake: Intake
    now: datetime
    events: list[Event] = field(default_factory=list)
    reached: list[int] = field(default_factory=list)
    more: bool = False

    def tell(self, event: Event) -> None:
        if len(self.events) < _MAX_EVENTS:
            self.events.append(event)
        else:
            self.intake.skip("new or bursting templates left out: too many at once")
