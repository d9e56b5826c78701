"""Turns what was measured into numbered facts, each one sentence of ours with its statistic and window."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agent.evidence.case import Case, PastIncident
from agent.evidence.figures import clock, figure, plain, span, times
from agent.evidence.measured import Measured
from agent.evidence.record import EventFinding, LogFinding, Signal
from agent.vocabulary import KINDS, OTHER
from domain.evidence import Evidence, EvidenceKind, Interval, TimeWindow
from domain.money import Impact, format_money
from domain.topology import Topology

MAX_QUOTED = 300


@dataclass
class Notebook:
    """Collects facts and numbers them E1, E2, ... in the order in which they are written down."""

    window: TimeWindow
    facts: list[Evidence] = field(default_factory=list)

    def note(self, kind: EvidenceKind, statement: str, **details: Any) -> str:
        """Write one fact down and return its id."""
        identifier = f"E{len(self.facts) + 1}"
        details.setdefault("window", self.window)
        self.facts.append(Evidence(id=identifier, kind=kind, statement=statement, **details))
        return identifier


def note_onset(book: Notebook, measured: Measured) -> str:
    """When the target left its path, with the interval."""
    window, onset = measured.window, measured.onset
    at, low, high = (window.time_at(column) for column in (onset.column, onset.low, onset.high))
    name = window.series[measured.targets[0]].name if measured.targets else ""
    if not measured.estimated:
        text = f"The incident began at {clock(at)} UTC (given)."
    elif low == high:
        text = f"{name or 'The incident'} changed at {clock(at)} UTC, to within {span(_step(measured))}."
    else:
        text = f"{name or 'The incident'} changed at {clock(at)} UTC"
        text += f" (95% interval {clock(low)} to {clock(high)})."
    return book.note(
        "onset",
        text,
        series=(name,) if name else (),
        component=measured.target_component,
        value=float(at.timestamp()),
        unit="unix s",
        interval=Interval(low=low.timestamp(), high=high.timestamp()),
        effect_size=onset.gain,
        parameters={"method": "likelihood ratio of a mean shift", "estimated": measured.estimated},
    )


def _step(measured: Measured) -> timedelta:
    return timedelta(seconds=measured.window.step_s)


def note_signal(book: Notebook, signal: Signal, reference: TimeWindow) -> str:
    """That one series left its habits."""
    noun = KINDS.get(signal.kind, OTHER).noun
    where = f"{noun} on {signal.component}" if signal.kind in KINDS else signal.series
    return book.note(
        "silence" if signal.state == "silent" else "shift",
        _signal_sentence(signal, where[:1].upper() + where[1:]),
        series=(signal.series,),
        component=signal.component,
        value=signal.value,
        unit=signal.unit,
        baseline=signal.baseline,
        effect_size=signal.z,
        p_value=signal.p_value,
        q_value=signal.q_value,
        lead_seconds=signal.lead_seconds,
        direction=signal.direction,
        parameters={
            "kind": signal.kind,
            "changed_at": signal.changed_at.isoformat(),
            "persistence": round(signal.persistence, 3),
            "reference_start": reference.start.isoformat(),
            "reference_end": reference.end.isoformat(),
        },
    )


def _signal_sentence(signal: Signal, where: str) -> str:
    at = clock(signal.changed_at)
    if signal.state == "silent":
        return f"{where} stopped reporting at {at}."
    if signal.state == "stopped":
        return f"{where} has been zero since {at} (usually {figure(signal.baseline, signal.unit)})."
    if signal.state == "frozen":
        return f"{where} has repeated {figure(signal.value, signal.unit)} without change since {at}."
    if signal.state == "spiked":
        verb = "spiked" if signal.direction == "up" else "dropped"
        reach, usual = figure(signal.value, signal.unit), figure(signal.baseline, signal.unit)
        return (
            f"{where} {verb} to {reach} at {at} (usually {usual}), {abs(signal.z):.1f} of its usual spreads."
        )
    verb = "rose" if signal.direction == "up" else "fell"
    change = times(signal.value, signal.baseline)
    before, now = figure(signal.baseline, signal.unit), figure(signal.value, signal.unit)
    return f"{where} {verb} from {before} to {now}{change} at {at}, {abs(signal.z):.1f} of its usual spreads."


def note_leads(book: Notebook, signals: Sequence[Signal], target: str) -> None:
    """Order in time, only where the interval of the lag excludes zero."""
    for signal in signals:
        if signal.lead_seconds is None:
            continue
        lag = span(timedelta(seconds=abs(signal.lead_seconds)))
        side = "before" if signal.lead_seconds > 0 else "after"
        book.note(
            "lead_lag",
            f"Changes of {signal.series} come {lag} {side} those of {target}.",
            series=(signal.series, target),
            component=signal.component,
            value=signal.lead_seconds,
            unit="s",
            lead_seconds=signal.lead_seconds,
            parameters={"method": "lagged correlation of prewhitened changes, block bootstrap"},
        )


def note_impact(book: Notebook, impact: Impact, series: Sequence[str]) -> str:
    """What it cost, with the interval, and which slices it came from."""
    money = format_money(impact.amount, impact.unit)
    low, high = format_money(impact.low, impact.unit), format_money(impact.high, impact.unit)
    identifier = book.note(
        "impact",
        f"PnL is {money} against its expected path (90% interval {low} to {high}).",
        series=tuple(series[:10]),
        value=impact.amount,
        unit=impact.unit,
        interval=Interval(low=impact.low, high=impact.high),
    )
    for label in dict.fromkeys(part.label for part in impact.by):
        parts = [part for part in impact.by if part.label == label]
        if len(parts) > 1:
            text = ", ".join(f"{part.value} {format_money(part.amount, impact.unit)}" for part in parts[:4])
            book.note(
                "attribution",
                f"By {label}: {text}; unexplained {format_money(impact.unexplained, impact.unit)}.",
                value=sum(part.amount for part in parts),
                unit=impact.unit,
                parameters={part.value: round(part.amount, 6) for part in parts[:20]},
            )
    return identifier


def note_log(book: Notebook, finding: LogFinding) -> str:
    """That a log template burst, appeared or vanished; the template itself stays quoted."""
    what = "A new" if finding.is_new else "A known"
    level = finding.level.lower() or "log"
    if finding.g > 0:
        text = f"{what} {level} line of {finding.component}: {plain(finding.observed)} times"
        text += f" where {plain(finding.expected)} were to be expected."
    else:
        text = (
            f"A {level} line of {finding.component} that is usual vanished: {plain(finding.observed)} times"
        )
        text += f" where {plain(finding.expected)} were to be expected."
    return book.note(
        "log_template",
        text,
        component=finding.component,
        quoted=finding.template[:MAX_QUOTED],
        value=finding.observed,
        baseline=finding.expected,
        unit="lines",
        effect_size=finding.g,
        q_value=finding.q_value,
        direction="up" if finding.g > 0 else "down",
        parameters={"method": "G-test on line counts", "level": finding.level},
    )


def note_event(book: Notebook, finding: EventFinding) -> str:
    """An event near the onset, and whether anything upstream of the target supports it."""
    ahead = span(timedelta(seconds=abs(finding.seconds_before_onset)))
    side = "before" if finding.seconds_before_onset >= 0 else "after"
    what = finding.kind.replace("_", " ")
    what = what[:1].upper() + what[1:]
    where = f" on {finding.component}" if finding.component else ""
    tail = (
        f"; {finding.supports} is anomalous and upstream."
        if finding.supports
        else "; nothing anomalous ties it to the target, so it counts as a coincidence."
    )
    return book.note(
        "news" if finding.kind == "news" else "event",
        f"{what}{where} {ahead} {side} the onset{tail}",
        component=finding.component or None,
        quoted=finding.text[:MAX_QUOTED],
        value=finding.seconds_before_onset,
        unit="s",
    )


def note_normal(book: Notebook, normal: Mapping[str, int]) -> str | None:
    """What was checked and found to be as always."""
    if not normal:
        return None
    text = ", ".join(f"{count} {family}" for family, count in sorted(normal.items()))
    return book.note(
        "normal",
        f"Checked and normal: {text} series.",
        value=float(sum(normal.values())),
        unit="series",
        parameters=dict(normal),
    )


def note_missing(book: Notebook, missing: Sequence[str]) -> str | None:
    """What could not be judged."""
    if not missing:
        return None
    shown = ", ".join(missing[:5]) + (" and others" if len(missing) > 5 else "")
    return book.note(
        "missing",
        f"Not judged for want of data: {len(missing)} series ({shown}).",
        series=tuple(missing[:20]),
        value=float(len(missing)),
        unit="series",
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
    and the component is odd itself. All others are coincidences.
    """
    onset = measured.window.time_at(measured.onset.high)
    hops = topology.hops_to(measured.target_component) if measured.target_component else {}
    found = []
    for event in sorted(case.events, key=lambda one: one.timestamp):
        ahead = (onset - event.timestamp).total_seconds()
        if not -1800 <= ahead <= 6 * 3600:
            continue
        component = event.labels.get("component", "")
        upstream = not topology.edges or component in hops
        supports = component if ahead >= 0 and upstream and component in odd else None
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
