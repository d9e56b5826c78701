"""Read-only tools that a model may ask for; every answer becomes a fact of the ledger with an id."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.evidence.case import Case, LogCounts
from agent.evidence.figures import clock, figure, plain, span
from agent.evidence.leadlag import lead_of
from agent.evidence.record import Ledger
from agent.vocabulary import component_of, unit_of
from domain.errors import InvalidInput
from domain.evidence import Evidence, TimeWindow
from domain.series import FloatArray
from domain.timestamps import parse_rfc3339, to_microseconds

MAX_ARGUMENTS = 2_000
LEAST_SAMPLES = 3


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SeriesWindow(_Arguments):
    """One series over a stretch of time."""

    series: str = Field(min_length=1, max_length=1_000)
    start: str = Field(min_length=1, max_length=40)
    end: str = Field(min_length=1, max_length=40)


class Pair(_Arguments):
    """Two series."""

    series: str = Field(min_length=1, max_length=1_000)
    other: str = Field(min_length=1, max_length=1_000)


class Component(_Arguments):
    """A component."""

    component: str = Field(min_length=1, max_length=500)


class Stretch(_Arguments):
    """A stretch of time."""

    start: str = Field(min_length=1, max_length=40)
    end: str = Field(min_length=1, max_length=40)


class Cause(_Arguments):
    """A cause of the closed list."""

    cause: str = Field(min_length=1, max_length=60)


_DESCRIPTIONS: Mapping[str, tuple[type[_Arguments], str]] = {
    "series_in_window": (SeriesWindow, "Median and range of a series in a window (RFC 3339 times)."),
    "compare_with_baseline": (SeriesWindow, "A series in a window against all that was before it."),
    "correlate": (Pair, "Whether changes of two series go together, and at which lag."),
    "log_lines": (Component, "Log templates of a component, with counts since the onset and before."),
    "events_between": (Stretch, "How many events and headlines of which kind there were."),
    "past_incidents": (Cause, "Confirmed earlier incidents with this cause."),
}


class CaseTools:
    """The tools over one case. They take names and times, never paths, queries or addresses."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._tools: Mapping[str, Callable[[Any, str], Evidence]] = {
            "series_in_window": self._series_in_window,
            "compare_with_baseline": self._compare,
            "correlate": self._correlate,
            "log_lines": self._log_lines,
            "events_between": self._events,
            "past_incidents": self._past,
        }

    def call(self, name: str, arguments: str, ledger: Ledger) -> Evidence:
        """Run a tool and return its answer as the next fact of the ledger.

        Raises:
            InvalidInput: no such tool, or arguments that it does not take; nothing was done.
        """
        if name not in self._tools:
            raise InvalidInput(
                "tool", f"there is none called {name[:60]!r}; there are {', '.join(self._tools)}"
            )
        if len(arguments) > MAX_ARGUMENTS:
            raise InvalidInput(name, "the arguments are too long")
        try:
            given = _DESCRIPTIONS[name][0].model_validate(json.loads(arguments or "{}"))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InvalidInput(name, f"{where}: {first['msg']}") from None
        except ValueError:
            raise InvalidInput(name, "the arguments are not a JSON object") from None
        numbers = [int(one.id[1:]) for one in ledger.evidence if one.id[1:].isdigit()]
        fact = self._tools[name](given, f"E{max(numbers, default=0) + 1}")
        asked = {"tool": name, "arguments": given.model_dump()}
        return fact.model_copy(update={"parameters": {**fact.parameters, **asked}})

    def _row(self, name: str) -> tuple[int, FloatArray]:
        window = self._case.window
        if name not in window.positions:
            raise InvalidInput("series", "no series of this case has this name")
        row = window.positions[name]
        return row, window.values[row]

    def _columns(self, start: str, end: str) -> tuple[int, int, TimeWindow]:
        window = self._case.window
        first, last = parse_rfc3339(start, "start"), parse_rfc3339(end, "end")
        begin = min(max(window.column_of(first), 0), window.n_steps)
        stop = min(max(window.column_of(last), 0), window.n_steps)
        if stop <= begin:
            held = f"{window.start:%Y-%m-%dT%H:%MZ} to {window.end:%Y-%m-%dT%H:%MZ}"
            raise InvalidInput("start", f"the window is empty; data are held from {held}")
        return begin, stop, TimeWindow(start=window.time_at(begin), end=window.time_at(stop))

    def _series_in_window(self, asked: SeriesWindow, identifier: str) -> Evidence:
        row, values = self._row(asked.series)
        begin, stop, window = self._columns(asked.start, asked.end)
        found = values[begin:stop][np.isfinite(values[begin:stop])]
        if len(found) == 0:
            return self._fact(identifier, row, window, f"{asked.series} has no data from {_stretch(window)}.")
        unit = unit_of(self._case.window.series[row])
        middle, low, high = float(np.median(found)), float(found.min()), float(found.max())
        text = f"{asked.series} had a median of {figure(middle, unit)} from {_stretch(window)}"
        text += f" (lowest {figure(low, unit)}, highest {figure(high, unit)})."
        return self._fact(identifier, row, window, text, value=middle, unit=unit)

    def _compare(self, asked: SeriesWindow, identifier: str) -> Evidence:
        row, values = self._row(asked.series)
        begin, stop, window = self._columns(asked.start, asked.end)
        now = values[begin:stop][np.isfinite(values[begin:stop])]
        before = values[:begin][np.isfinite(values[:begin])]
        if len(now) == 0 or len(before) < LEAST_SAMPLES:
            text = f"{asked.series} cannot be compared from {_stretch(window)} for want of data."
            return self._fact(identifier, row, window, text)
        unit = unit_of(self._case.window.series[row])
        middle, usual = float(np.median(now)), float(np.median(before))
        spread = 1.4826 * float(np.median(np.abs(before - usual)))
        z = (middle - usual) / spread if spread > 0 else 0.0
        text = f"From {_stretch(window)} the median of {asked.series} was {figure(middle, unit)}"
        text += f", usually {figure(usual, unit)}, {abs(z):.1f} sigma."
        up = "up" if middle >= usual else "down"
        details = {"value": middle, "baseline": usual, "unit": unit, "effect_size": z, "direction": up}
        return self._fact(identifier, row, window, text, **details)

    def _correlate(self, asked: Pair, identifier: str) -> Evidence:
        row, values = self._row(asked.series)
        _, second = self._row(asked.other)
        window = TimeWindow(start=self._case.window.start, end=self._case.window.end)
        lead = lead_of(values, second, np.random.default_rng(0))
        pair = (asked.series, asked.other)
        if lead is None:
            text = f"{asked.series} and {asked.other} have too few data to correlate."
            return self._fact(identifier, row, window, text, series=pair)
        text = f"Changes of {asked.series} and {asked.other} correlate at {plain(lead.correlation)}"
        seconds = lead.columns * self._case.window.step_s
        if not lead.known:
            text += "; an order of the two cannot be told."
            return self._fact(identifier, row, window, text, series=pair, value=lead.correlation)
        side = "before" if seconds > 0 else "after"
        text += f"; those of {asked.series} come {span(timedelta(seconds=abs(seconds)))} {side}."
        details = {"series": pair, "value": lead.correlation, "lead_seconds": float(seconds)}
        return self._fact(identifier, row, window, text, **details)

    def _log_lines(self, asked: Component, identifier: str) -> Evidence:
        case = self._case
        lines = [one for one in case.logs if isinstance(one, LogCounts) and one.component == asked.component]
        window = TimeWindow(start=case.start, end=case.end)
        first, last = to_microseconds(case.start), to_microseconds(case.end)
        counted = []
        for one in lines:
            inside = (one.timestamps >= first) & (one.timestamps < last)
            counted.append((int(one.counts[inside].sum()), int(one.counts[~inside].sum()), one))
        counted.sort(key=lambda item: -item[0])
        total, earlier = sum(one[0] for one in counted), sum(one[1] for one in counted)
        text = f"{asked.component} logged {total} lines of {len(lines)} templates since {clock(case.start)}"
        text += f", {earlier} lines earlier in the window held."
        quoted = "; ".join(f"{count} x {one.level} {one.template[:80]}" for count, _, one in counted[:4])
        return Evidence(
            id=identifier,
            kind="query",
            component=asked.component,
            statement=text,
            quoted=quoted or None,
            value=float(total),
            unit="lines",
            window=window,
        )

    def _events(self, asked: Stretch, identifier: str) -> Evidence:
        start, end = parse_rfc3339(asked.start, "start"), parse_rfc3339(asked.end, "end")
        found = [one for one in self._case.events if start <= one.timestamp < end]
        kinds = sorted({one.kind for one in found})
        window = TimeWindow(start=start, end=end)
        text = f"{len(found)} events from {_stretch(window)}"
        text += f" ({', '.join(kinds[:6])})." if kinds else "."
        quoted = "; ".join(f"{clock(one.timestamp)} {one.kind}: {one.text[:80]}" for one in found[:4])
        details = {"value": float(len(found)), "unit": "events", "quoted": quoted or None}
        return Evidence(id=identifier, kind="query", statement=text, window=window, **details)

    def _past(self, asked: Cause, identifier: str) -> Evidence:
        found = [one for one in self._case.past if one.cause == asked.cause]
        window = TimeWindow(start=self._case.start, end=self._case.end)
        days = ", ".join(f"{one.id} on {one.when:%Y-%m-%d}" for one in found[:3])
        text = f"{len(found)} confirmed earlier incidents had the cause {asked.cause}"
        text += f": {days}." if days else "."
        details = {"value": float(len(found)), "unit": "incidents"}
        return Evidence(id=identifier, kind="query", statement=text, window=window, **details)

    def _fact(self, identifier: str, row: int, window: TimeWindow, text: str, **details: Any) -> Evidence:
        series = self._case.window.series[row]
        details.setdefault("series", (series.name,))
        component = component_of(series.key)
        return Evidence(
            id=identifier, kind="query", statement=text, component=component, window=window, **details
        )


class StoredTools:
    """Answers of an earlier run, for its replay: the same question gets the fact that was stored."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        self._facts = [one for one in evidence if one.kind == "query" and "tool" in one.parameters]

    def call(self, name: str, arguments: str, ledger: Ledger) -> Evidence:
        """The stored fact; raises InvalidInput where the run had none."""
        known = {one.id for one in ledger.evidence}
        try:
            given = json.loads(arguments or "{}")
        except ValueError:
            given = None
        for one in self._facts:
            same = one.parameters["tool"] == name and one.parameters["arguments"] == given
            if same and one.id not in known:
                return one
        raise InvalidInput("tool", f"no answer of {name[:60]!r} to {arguments[:60]} was stored")


def descriptions() -> tuple[Mapping[str, Any], ...]:
    """The tools as function definitions for a model."""
    return tuple(
        {"name": name, "description": text, "parameters": _schema(model)}
        for name, (model, text) in _DESCRIPTIONS.items()
    )


def signatures() -> list[str]:
    """The tools in one line each, for endpoints without tool calls."""
    return [f"{name}({', '.join(model.model_fields)})" for name, (model, _) in _DESCRIPTIONS.items()]


def _stretch(window: TimeWindow) -> str:
    return f"{clock(window.start)} to {clock(window.end)}"


def _schema(model: type[_Arguments]) -> dict[str, Any]:
    names = list(model.model_fields)
    properties = {name: {"type": "string"} for name in names}
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}
