"""From stored data to a case: what the evidence engine may look at for one investigation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from agent.evidence.blank import blank_ledger
from agent.evidence.case import Case, LogCounts, PastIncident
from agent.evidence.factors import set_apart
from agent.evidence.ledger import gather
from agent.evidence.record import Ledger
from agent.evidence.settings import EvidenceSettings
from agent.topology import component_of, default_edges, discovered_edges, joined
from agent.vocabulary import is_outcome, kind_of
from domain.diagnosis import DiagnosisRequest
from domain.errors import InvalidInput
from domain.event import Event
from domain.series import Series, SeriesKey, Window
from domain.timestamps import to_microseconds
from domain.topology import Edge, Strategy, Topology

TEMPLATE_METRIC = "log_template_lines"
NOVELTY = "log_novelty"
# What templates add up to or are told by: no evidence of their own beside them.
LOG_METRICS = frozenset({"log_lines", "log_error_ratio", NOVELTY})
# What follows from gains over a long time: it moves late and slowly, and tells no onset.
DERIVED = frozenset({"drawdown", "equity", "sharpe"})
EVENTS_BEFORE = timedelta(hours=6)
MAX_EVENTS = 500


def judged(window: Window) -> Window:
    """The series that detection watches.

    All but single log templates, whose volume is watched by level, and parts of a PnL that is watched itself.
    """
    kept = [i for i, one in enumerate(window.series) if one.key.metric != TEMPLATE_METRIC]
    return set_apart(window.select(kept))[0]


class Events(Protocol):
    def between(self, start: datetime, end: datetime, *, limit: int) -> Sequence[Event]: ...


class CaseBuilder:
    """Puts a case together from the window in memory, the events and the confirmed past.

    Args:
        window_for: the window to look at for the metrics of a request; None where nothing is held.
        events: where events are kept.
        past: confirmed incidents.
        strategies: who trades what where, for the default cause graph.
        edges: configured edges on top of it.
        settings: of the evidence engine.
        clock: the service's clock.
        late: cells at the end of each series that are no silence; of a window, and whether it reaches to now.
    """

    def __init__(  # noqa: PLR0913 -- everything an investigation may look at
        self,
        *,
        window_for: Callable[[DiagnosisRequest], Window | None],
        events: Events,
        past: Callable[[], Sequence[PastIncident]],
        strategies: Sequence[Strategy],
        edges: Sequence[Edge],
        settings: EvidenceSettings,
        clock: Callable[[], datetime],
        late: Callable[[Window, bool], Mapping[str, int]] = lambda _window, _is_now: {},
    ) -> None:
        self._window_for = window_for
        self._events = events
        self._past = past
        self._strategies = strategies
        self._edges = edges
        self._settings = settings
        self._clock = clock
        self._late = late

    def gather(self, request: DiagnosisRequest) -> Ledger:
        """Compute the ledger of a request from what is known now."""
        window = self._window_for(request)
        if window is None or not window.series:
            return blank_ledger(request.affected_metrics, request.start_time, request.end_time, 0, 0)
        return gather(self._case(request, window), self._settings)

    def build(self, request: DiagnosisRequest) -> Case:
        """The case of a request; raises InvalidInput where no data of its time are at hand."""
        window = self._window_for(request)
        if window is None or not window.series:
            raise InvalidInput("affected_metrics", "no data are held for them in this window")
        return self._case(request, window)

    def _case(self, request: DiagnosisRequest, window: Window) -> Case:
        templates = [i for i, one in enumerate(window.series) if one.key.metric == TEMPLATE_METRIC]
        told = {TEMPLATE_METRIC, *LOG_METRICS} if templates else {TEMPLATE_METRIC}
        asked = set(request.affected_metrics[:1])
        metrics = [
            i
            for i, one in enumerate(window.series)
            if one.key.metric not in told or asked & {one.name, one.key.metric} - {TEMPLATE_METRIC}
        ]
        measured = window.select(metrics)
        targets = targets_of(request.affected_metrics, measured)
        end, is_now = _reached(request.end_time, self._clock(), measured)
        events = self._events.between(request.start_time - EVENTS_BEFORE, end, limit=MAX_EVENTS)
        return Case(
            targets=targets,
            target_component=_shared_component(targets),
            start=request.start_time,
            end=end,
            window=measured,
            # What belongs to an incident was seen to have begun with it.
            began_by=request.start_time if request.incident_id else None,
            topology=self.topology(measured.series),
            logs=_logs(window, templates, request.affected_metrics, events),
            events=events,
            past=self._past(),
            now=self._clock(),
            late=self._late(measured, is_now),
        )

    def topology(self, series: Sequence[Series]) -> Topology:
        """The configured cause graph, completed by what the labels of the series give away."""
        configured = Topology.of((edge.cause, edge.effect) for edge in self._edges)
        keys = [one.key for one in series]
        return joined(configured, default_edges(self._strategies), discovered_edges(keys, self._strategies))


def targets_of(affected: Sequence[str], window: Window) -> tuple[str, ...]:
    """The series to explain: the money among what is affected, else the leading series alone.

    What else is affected may be the cause and must stay a candidate. A name is that of a series or of a
    metric, which then means all of its series.
    """
    found: dict[str, Series] = {}
    for name in affected:
        if name in window.positions:
            found[name] = window.series[window.positions[name]]
        else:
            found.update((one.name, one) for one in window.series if one.key.metric == name)
    gains = tuple(name for name, one in found.items() if kind_of(one.key).name == "pnl")
    others = (name for name, one in found.items() if is_outcome(one) and kind_of(one.key).name not in DERIVED)
    money = gains or tuple(others)
    return money or tuple(found)[:1]


def _reached(end: datetime, now: datetime, window: Window) -> tuple[datetime, bool]:
    """The end of what was asked, and whether that is now: then the cell that has begun counts as well."""
    begun = window.time_at(window.column_of(now))
    over = begun + timedelta(seconds=window.step_s)
    is_now = begun <= end < over
    return (over if is_now else end), is_now


def _shared_component(targets: Sequence[str]) -> str | None:
    """Where several components lose money, the desk that they all belong to is to be explained."""
    components = {component_of(SeriesKey.parse(name)) for name in targets}
    return "desk" if len(components) > 1 else None


def _logs(
    window: Window, rows: Sequence[int], affected: Sequence[str], events: Sequence[Event]
) -> list[LogCounts]:
    """The templates, with what detection told of them and the last line of each that was kept as an event."""
    told = {_template(dict(key.labels)) for key in map(SeriesKey.parse, affected) if key.metric == NOVELTY}
    quoted = {_template(one.labels): one.text for one in events if one.source == "system_logs"}
    found = (_log_counts(window, row) for row in rows)
    names = (_template(dict(window.series[row].key.labels)) for row in rows)
    return [
        replace(one, told=name in told, quoted=quoted.get(name, ""))
        for one, name in zip(found, names, strict=True)
    ]


def _template(labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in ("component", "level", "template"))


def _log_counts(window: Window, row: int) -> LogCounts:
    labels = dict(window.series[row].key.labels)
    values = window.values[row]
    present = np.flatnonzero(np.isfinite(values) & (values > 0))
    step_us = window.step_s * 1_000_000
    return LogCounts(
        component=labels.get("component", "unknown"),
        level=labels.get("level", ""),
        template=labels.get("template", ""),
        timestamps=to_microseconds(window.start) + present.astype(np.int64) * step_us,
        counts=values[present].astype(np.int64),
    )
