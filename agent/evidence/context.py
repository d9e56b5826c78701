"""What happened around the incident: events that may have caused it, and incidents like it in the past."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from agent.evidence.case import Case, PastIncident
from agent.evidence.facts import MAX_QUOTED, Notebook
from agent.evidence.figures import span
from agent.evidence.measured import Measured
from agent.evidence.record import EventFinding
from agent.places import place
from domain.topology import Topology

HOURS_BEFORE = 6.0
MINUTES_AFTER = 30.0
CHANGES = frozenset({"deploy", "config_change", "config", "release", "flag"})


def note_event(book: Notebook, finding: EventFinding) -> str:
    """An event near the onset, and whether anything upstream of the target supports it."""
    ahead = span(timedelta(seconds=abs(finding.seconds_before_onset)))
    side = "before" if finding.seconds_before_onset >= 0 else "after"
    what = finding.kind.replace("_", " ")
    what = what[:1].upper() + what[1:]
    where = f" on {place(finding.component)}" if finding.component else ""
    tail = (
        f"; {place(finding.supports)} is anomalous and upstream."
        if finding.supports
        else "; nothing measured on that component is anomalous, so it is not counted as evidence."
    )
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


def find_events(case: Case, measured: Measured, odd: Sequence[str], topology: Topology) -> list[EventFinding]:
    """Events within six hours before and half an hour after the onset, with what supports them.

    An event supports a component only where it names it (or something upstream of it), came before the onset,
    and the component is odd without one of its causes explaining that. All others are coincidences. The onset
    is known to a step of the grid, so an event within that step counts as before it. Log lines are judged by
    their counts, not one by one.
    """
    onset = measured.window.time_at(measured.onset.high)
    step = float(measured.window.step_s)
    hops = topology.hops_to(measured.target_component) if measured.target_component else {}
    found = []
    for event in sorted(case.events, key=lambda one: one.timestamp):
        ahead = (onset - event.timestamp).total_seconds()
        if event.source == "system_logs" or not -60 * MINUTES_AFTER <= ahead <= 3600 * HOURS_BEFORE:
            continue
        component = event.labels.get("component", "")
        upstream = not topology.edges or component in hops
        supports = component if ahead > -step and upstream and component in odd else None
        found.append(
            EventFinding(
                kind=event.kind,
                component=component,
                text=event.text[:MAX_QUOTED],
                timestamp=event.timestamp,
                seconds_before_onset=ahead,
                supports=supports,
            )
        )
    found.sort(key=lambda one: (one.supports is None, abs(one.seconds_before_onset)))
    return found[:8]


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
