"""Keeps the book of log lines from anywhere: counts as series, new and bursting templates as events."""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from collectors.alert_lines import reports_failure
from collectors.drain import Template, TemplateMiner
from collectors.gate import OLDEST, clean_text
from collectors.intake import Intake
from collectors.line_secrets import without_secrets
from collectors.log_counts import MAX_CELLS, LineKind, LogCounts
from collectors.log_novelty import Novelties
from collectors.loglines import LEVELS, Line, LineParser
from collectors.settings_logs import LogCounting
from domain.event import Event
from domain.timestamps import MAX_FUTURE, from_microseconds, to_microseconds

_MAX_LABEL = 200
_MAX_EVENTS = 200
_QUIET_LEVELS = frozenset({"WARN", "INFO", "DEBUG"})
# What a line names is a logger, unless it has the form of the desk's components: their class before a colon.
_PLACE = re.compile(r"[a-z_]+:.+", re.DOTALL)
# So many new lines of a program at once that tell of no trouble are its restart or its release.
_CALM_LEVELS = frozenset({"INFO", "DEBUG"})
_A_BANNER = 4
_SHARE_OF_PLACES = {"CRITICAL": 1.0, "ERROR": 1.0, "WARN": 0.75, "INFO": 0.5, "DEBUG": 0.25}
_SETTLED_LINES = 1_000
_SETTLED_CELLS_S = 6 * 3_600


def line_parser(settings: LogCounting) -> LineParser:
    """Understands the lines of a source."""
    return LineParser(settings.pattern, ZoneInfo(settings.timezone))


class LogBook:
    """One page of lines, entered into what is known from earlier pages.

    A cell becomes samples when it is over and everything was read past it. `log_lines{component,level}` has a
    value in every cell from then on, zero included; `log_template_lines` adds the template;
    `log_error_ratio{component}` is the share of lines that report a failure; `log_novelty` tells of templates
    that are new or burst.

    Args:
        settings: of the source.
        state: what `as_json` gave after the page before; empty at first.
        now: the time of the read.
    """

    def __init__(self, settings: LogCounting, state: Mapping[str, Any], now: datetime) -> None:
        self._settings = settings
        self._step_us = settings.step * 1_000_000
        self._now = now
        self.intake = Intake(settings)
        self.events: list[Event] = []
        self._miner = TemplateMiner.of_json(state.get("miner", {}), settings.max_templates)
        self._counts = LogCounts.of_json(state.get("counts", {}))
        self._chosen = {LineKind(*parts[:3]): parts[3] for parts in state.get("chosen", ())}
        self._novel = Novelties.of_json(settings.novelty_series, state.get("novel", ()))
        self._quiet = [(LineKind(*row[:3]), str(row[3]), int(row[4])) for row in state.get("quiet", ())]
        self._lines: int = state.get("lines", 0)
        self._first_cell: int | None = state.get("first_cell")
        self.caught_up: bool = state.get("caught_up", False)

    def as_json(self) -> dict[str, Any]:
        """Everything that the next page or a restart needs."""
        return {
            "miner": self._miner.as_json(),
            "counts": self._counts.as_json(),
            "chosen": [[*kind.as_json(), text] for kind, text in self._chosen.items()],
            "novel": self._novel.as_json(),
            "quiet": [[*kind.as_json(), text, cell] for kind, text, cell in self._quiet],
            "lines": self._lines,
            "first_cell": self._first_cell,
            "caught_up": self.caught_up,
        }

    @property
    def _earliest_allowed(self) -> int:
        """No earlier cell, in microseconds, is told: one stray line must not make a past of zeros."""
        return max(OLDEST, to_microseconds(self._now) - MAX_CELLS * self._step_us)

    @property
    def latest_allowed(self) -> int:
        """Lines after this time, in microseconds, are not believed."""
        return to_microseconds(self._now + MAX_FUTURE)

    def cell_of(self, micros: int | None) -> int:
        """The cell of a time; without one, the first that is still open."""
        return (self._counts.boundary or 0) if micros is None else micros // self._step_us

    def enter(self, line: Line, micros: int, fallback: str) -> bool:
        """Count a line; `fallback` is its component where neither it nor the settings name one.

        Returns false where its time is unusable.
        """
        if not self._earliest_allowed <= micros <= self.latest_allowed:
            self.intake.skip("lines refused: their time is in the future, or too long ago")
            return False
        message = without_secrets(line.message)
        template, is_new = self._miner.add(message)
        kind = LineKind(self._counts.component(self._place(line, fallback)), line.level, template.id)
        cell = micros // self._step_us
        if not self._counts.add(cell, kind):
            self.intake.skip("lines refused: they come too late for their cell")
            return True
        self._lines += 1
        self._first_cell = cell if self._first_cell is None else min(cell, self._first_cell)
        if is_new and self._is_worth_telling(line, template, cell):
            self._tell(kind, template, message, micros, {"novelty": "new_template"})
        return True

    def _place(self, line: Line, fallback: str) -> str:
        configured = self._settings.component
        named = "" if configured and not _PLACE.fullmatch(line.component) else line.component
        return named or configured or fallback

    def _is_worth_telling(self, line: Line, template: Template, cell: int) -> bool:
        """A first look at a log is full of new templates; quiet ones are only news much later."""
        if not self.caught_up:
            return False
        if line.level not in _QUIET_LEVELS:
            return reports_failure(line.level, template.text)
        age = (cell - (self._first_cell or cell)) * self._settings.step
        return self._lines >= _SETTLED_LINES and age >= _SETTLED_CELLS_S

    def close(self, until: int) -> None:
        """Turn cells before `until`, a cell number, into samples."""
        until = min(until, to_microseconds(self._now) // self._step_us)
        self._begin_quiet(until)
        for cell, counts in self._counts.close(until):
            for burst in self._counts.bursts(cell, counts, self._settings.burst_factor):
                template = self._miner.get(burst.kind.template)
                if self.caught_up and template is not None:
                    more = {"novelty": "burst", "count": str(burst.count), "usual": f"{burst.usual:.1f}"}
                    self._tell(burst.kind, template, template.text, cell * self._step_us, more)
            self._novel.count(cell, counts)
            self._emit(cell, counts)
        self._novel.forget(until)
        if len(self._counts.rates) > 5 * self._settings.max_templates:
            self._counts.forget(kind.template for kind in self._chosen)

    def _begin_quiet(self, until: int) -> None:
        """Tell of new lines below an error in cells that are over; a banner is told by its events alone."""
        due = [one for one in self._quiet if one[2] < until]
        self._quiet = [one for one in self._quiet if one[2] >= until]
        calm = Counter((kind.component, cell) for kind, _, cell in due if kind.level in _CALM_LEVELS)
        for kind, text, cell in due:
            if calm[kind.component, cell] < _A_BANNER:
                self._begin(kind, text, cell)

    def _begin(self, kind: LineKind, text: str, cell: int) -> None:
        if not self._novel.begin(kind, text, cell):
            self.intake.skip("new or bursting templates without a series: novelty_series are taken")

    def _emit(self, cell: int, counts: Mapping[LineKind, int]) -> None:
        micros = cell * self._step_us
        totals = dict.fromkeys(sorted(self._counts.pairs), 0)
        for kind, count in counts.items():
            totals[kind.component, kind.level] += count
        for (component, level), count in totals.items():
            self._add("log_lines", {"component": component, "level": level}, micros, count)
        self._emit_errors(counts, micros)
        self._choose(counts)
        for kind, text in self._chosen.items():
            self._add("log_template_lines", _labels(kind, text), micros, counts.get(kind, 0))
        for kind, text, gravity in self._novel.values(cell):
            self._add("log_novelty", _labels(kind, text), micros, gravity, unit="")

    def _emit_errors(self, counts: Mapping[LineKind, int], micros: int) -> None:
        lines: Counter[str] = Counter({component: 0 for component, _ in self._counts.pairs})
        failures: Counter[str] = Counter()
        for kind, count in counts.items():
            template = self._miner.get(kind.template)
            lines[kind.component] += count
            if reports_failure(kind.level, "" if template is None else template.text):
                failures[kind.component] += count
        for component in sorted(lines):
            share = failures[component] / lines[component] if lines[component] else 0.0
            self._add("log_error_ratio", {"component": component}, micros, share, unit="ratio")

    def _add(
        self, metric: str, labels: Mapping[str, str], micros: int, value: float, unit: str = "lines"
    ) -> None:
        self.intake.add(self.intake.row(metric, labels, unit=unit), micros, value)

    def _choose(self, counts: Mapping[LineKind, int]) -> None:
        """Templates with series of their own: once chosen they stay, so that their series go on.

        Quiet levels may not fill all places: the errors of an incident come late and need theirs.
        """
        fresh = [kind for kind in counts if kind not in self._chosen]
        for kind in sorted(fresh, key=lambda one: (LEVELS.index(one.level), -counts[one])):
            room = self._settings.template_series * _SHARE_OF_PLACES[kind.level]
            template = self._miner.get(kind.template)
            if template is not None and len(self._chosen) < room:
                self._chosen[kind] = shown(template)

    def _tell(
        self, kind: LineKind, template: Template, text: str, micros: int, more: Mapping[str, str]
    ) -> None:
        cell = micros // self._step_us
        if kind.level in _QUIET_LEVELS and more["novelty"] == "new_template":
            self._quiet.append((kind, shown(template), cell))
        else:
            self._begin(kind, shown(template), cell)
        if len(self.events) >= _MAX_EVENTS:
            self.intake.skip("new or bursting templates left out: too many at once")
            return
        name = self._settings.name
        key = f"log|{name}|{kind.component}|{kind.level}|{kind.template}|{more['novelty']}|{micros}"
        labels = {"kind": "log", **_labels(kind, shown(template)), **more}
        self.events.append(
            Event(
                timestamp=from_microseconds(micros),
                source=self._settings.source,
                text=clean_text(text, 2_000) or "(empty)",
                labels={**labels, **self._settings.labels},
                dedupe_key=key,
            )
        )


def shown(template: Template) -> str:
    """A template as a label's value."""
    return clean_text(template.text, _MAX_LABEL) or "(empty)"


def _labels(kind: LineKind, text: str) -> dict[str, str]:
    return {"component": kind.component, "level": kind.level, "template": text}
