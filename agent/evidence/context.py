"""What happened around the incident: events that may have caused it, and incidents like it in the past."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from agent.evidence.case import Case, PastIncident
from agent.evidence.facts import MAX_QUOTED, Notebook
from agent.evidence.figures import span
from agent.evidence.measured import Measured
from agent.evidence.record import EventFinding
from agent.places import place
from agent.vocabulary import class_of
from domain.event import Event
from domain.topology import Topology

HOURS_BEFORE = 6.0
MINUTES_AFTER = 30.0
CHANGES = frozenset({"deploy", "config_change", "config", "release", "flag"})
# What venues and the press say about trouble, often minutes after it began.
REPORTS = frozenset({"notice", "news", "source"})


def note_event(book: Notebook, finding: EventFinding) -> str:
    """An event near the onset, and whether anything upstream of the target supports it."""
    ahead = span(timedelta(seconds=abs(finding.seconds_before_onset)))
    side = "before" if finding.seconds_before_onset >= 0 else "after"
    what = finding.kind.replace("_", " ")
    what = what[:1].upper() + what[1:]
    where = f" on {place(finding.component)}" if finding.component else ""
    if finding.supports is None:
        tail = "; nothing measured there is anomalous, so it is not counted as evidence."
    elif finding.supports == finding.component:
        tail = f"; {place(finding.supports)} is anomalous and upstream."
    else:
        tail = f"; {place(finding.supports)} depends on it and is anomalous."
    return book.note(
        "news" if finding.kind == "news" else "event",
        f"{what}{where} {ahead} {side} the onset{tail}",
        component=finding.component or None,
        quoted=finding.text[:MAX_QUOTED],
        value=finding.seconds_before_onset,
        unit="s",
    )


def similar_incidents(
    past: Sequence[PastIncident], shifted: frozenset[str], now: datetime
) -> list[tuple[PastIncident, float]]:
    """Past incidents by the overlap of their metrics with today's (Jaccard), at least a fifth."""
    found = []
    for one in past:
        before = set(one.affected_metrics)
        overlap = len(before & shifted) / max(len(before | shifted), 1)
        if overlap >= 0.2 and one.when <= now:
            found.append((one, overlap))
    return sorted(found, key=lambda item: (-item[1], item[0].id))[:3]


def note_similar(book: Notebook, found: Sequence[tuple[PastIncident, float]]) -> Iterator[str]:
    """That something like this was confirmed before."""
    for one, overlap in found:
        book.note(
            "similar_incident",
            f"{one.id} on {one.when:%Y-%m-%d} moved {overlap * 100:.0f}% of the same series;"
            f" its confirmed cause was {one.cause}.",
            component=one.component,
            value=overlap,
            unit="ratio",
            parameters={"incident": one.id, "cause": one.cause},
        )
        yield one.cause


def find_events(case: Case, measured: Measured, odd: Sequence[str]) -> list[EventFinding]:
    """Events within six hours before and half an hour after the onset, with what supports them.

    An event supports an odd component, upstream of the target and not explained by one of its own causes,
    where it names it; or where it names one that nothing is measured on and that the component depends on, as
    a gateway on its venue. A change must come before the onset, to a step of the grid; what a venue or the
    press reports may come after it, for it tells and does not cause. All others are coincidences. Log lines
    are judged by their counts, not one by one.
    """
    onset = measured.window.time_at(measured.onset.high)
    step = float(measured.window.step_s)
    reach = _Reach.of(case.topology, measured)
    found = []
    for event in sorted(case.events, key=lambda one: one.timestamp):
        ahead = (onset - event.timestamp).total_seconds()
        if event.source == "system_logs" or not -60 * MINUTES_AFTER <= ahead <= 3600 * HOURS_BEFORE:
            continue
        component = event.labels.get("component") or reach.venue_named(event)
        timely = ahead > -step or event.kind in REPORTS
        named = reach.markets_named(event)
        touched = reach.touched_by(component) | named if timely else frozenset()
        supports = next((one for one in odd if one in touched), None)
        found.append(
            EventFinding(
                kind=event.kind,
                component=component or (supports or ""),
                text=event.text[:MAX_QUOTED],
                timestamp=event.timestamp,
                seconds_before_onset=ahead,
                supports=supports,
            )
        )
    found.sort(key=lambda one: (one.supports is None, abs(one.seconds_before_onset)))
    return found[:8]


@dataclass(frozen=True)
class _Reach:
    """What the graph and the data say about the components that events name."""

    topology: Topology
    upstream: frozenset[str] | None
    measured: frozenset[str]

    @classmethod
    def of(cls, topology: Topology, measured: Measured) -> Self:
        tested = measured.shifts.tested
        known = {one for i, one in enumerate(measured.components) if tested[i]}
        target = measured.target_component
        hops = topology.hops_to(target) if topology.edges and target else None
        upstream = frozenset(hops) if hops is not None else frozenset() if topology.edges else None
        return cls(topology, upstream, frozenset(known))

    def touched_by(self, component: str) -> frozenset[str]:
        """The components that an event on this one may speak for: itself, or what directly depends on it."""
        if not component or (self.upstream is not None and component not in self.upstream):
            return frozenset()
        if component in self.measured:
            return frozenset({component})
        behind = {edge.effect for edge in self.topology.edges if edge.cause == component}
        return frozenset({component} | (behind & (self.upstream or behind)))

    def markets_named(self, event: Event) -> frozenset[str]:
        """The measured markets of the symbols that a report names, upstream of the target."""
        told = event.labels.get("symbols") or event.labels.get("symbol") or ""
        if event.kind not in REPORTS or not told:
            return frozenset()
        symbols = {_base(one) for one in told.split(",")}
        return frozenset(
            one
            for one in self.measured
            if class_of(one) == "market"
            and (self.upstream is None or one in self.upstream)
            and _base(one.split(":")[1:][:2][-1]) in symbols
        )

    def venue_named(self, event: Event) -> str:
        """The venue of a report without a component, where it names exactly one of those in the graph."""
        if event.kind not in REPORTS:
            return ""
        words = set(re.findall(r"[a-z0-9_-]+", event.text.lower())) | {event.labels.get("venue", "").lower()}
        venues = {edge.cause for edge in self.topology.edges if class_of(edge.cause) == "venue"}
        named = {one for one in venues if one.partition(":")[2].lower() in words}
        return named.pop() if len(named) == 1 else ""


def _base(symbol: str) -> str:
    """What is traded: `ETH` of `ETH/USDT:USDT`, `ETH-USD`, `ETHUSDT` and `ETH`."""
    first: str = re.split(r"[/:_-]", symbol.strip().upper())[0]
    return re.sub(r"(?<=.)(USDT|USDC|USD)$", "", first)


def changed_components(case: Case, measured: Measured) -> frozenset[str]:
    """Components that were deployed or configured at the onset, to a step of the grid."""
    onset = measured.window.time_at(measured.onset.high)
    step = timedelta(seconds=measured.window.step_s)
    first = measured.window.time_at(measured.onset.low) - step
    return frozenset(
        event.labels["component"]
        for event in case.events
        if event.kind in CHANGES and event.labels.get("component") and first <= event.timestamp < onset + step
    )
