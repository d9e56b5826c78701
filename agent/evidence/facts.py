"""Turns what was measured into numbered facts, each one sentence of ours with its statistic and window."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from agent.evidence.figures import clock, figure, plain, sigmas, span, times
from agent.evidence.measured import Measured
from agent.evidence.record import LogFinding, Signal
from agent.places import place
from agent.vocabulary import KINDS
from domain.evidence import Evidence, EvidenceKind, Interval, TimeWindow
from domain.money import Impact, ImpactPart, format_money
from domain.series import SeriesKey

MAX_QUOTED = 300
MAX_SLICES = 6
HARDLY_ANY = 0.5
# Gain in log likelihood below which some column of a quiet hour looks as much like a change.
CLEAR_GAIN = 6.0
NOVELTY = "log_novelty"
FAMILIES = {"pnl": "PnL", "log": "log volume", "other": "other"}
TOLD_LABELS = frozenset({"venue", "symbol", "level", "host"})


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
    what = _targetin_words(measured)
    if not measured.estimated:
        text = f"The incident began at {clock(at)} UTC (given)."
    elif onset.gain < CLEAR_GAIN and name.startswith(NOVELTY):
        # Such a series is 0 but where a line is new: there is no level that it could leave.
        text = f"{what} were told of as new or bursting at {clock(at)} UTC."
    elif onset.gain < CLEAR_GAIN:
        text = f"{what} shows no clear change; the window is judged from {clock(at)} UTC on."
    elif low == high:
        text = f"{what} changed at {clock(at)} UTC, to within {span(_step(measured))}."
    else:
        text = f"{what} changed at {clock(at)} UTC"
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


def _targetin_words(measured: Measured) -> str:
    if not measured.targets:
        return "The incident"
    row = measured.targets[0]
    return in_words(measured.kinds[row].name, measured.components[row], measured.window.series[row].name)


def in_words(kind: str, component: str, series: str) -> str:
    """A series as a sentence calls it: `Feed latency of the okx feed`, or its name where nothing is known."""
    if kind not in KINDS or component.startswith("metric:"):
        return series
    noun = KINDS[kind].noun
    told = {*component.split(":"), *re.split(r"[:-]", component)}
    labels = SeriesKey.parse(series).labels
    rest = [value for name, value in labels if name in TOLD_LABELS and value not in told]
    tail = f" ({', '.join(rest)})" if rest else ""
    return f"{noun[:1].upper()}{noun[1:]} of {place(component)}{tail}"


def _step(measured: Measured) -> timedelta:
    return timedelta(seconds=measured.window.step_s)


def note_signal(book: Notebook, signal: Signal, reference: TimeWindow, significance: float) -> str:
    """That one series left its habits; said to be noise where its q-value is not below the level."""
    where = in_words(signal.kind, signal.component, signal.series)
    text = _signal_sentence(signal, where)
    if signal.q_value >= significance:
        text = f"{text[:-1]}: among so many series within noise (q = {plain(signal.q_value)})."
    return book.note(
        "silence" if signal.state == "silent" else "shift",
        text,
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
        return f"{where} {verb} to {reach} at {at} (usually {usual}), {sigmas(signal.z)}."
    verb = "rose" if signal.direction == "up" else "fell"
    change = times(signal.value, signal.baseline)
    before, now = figure(signal.baseline, signal.unit), figure(signal.value, signal.unit)
    return f"{where} {verb} from {before} to {now}{change} at {at}, {sigmas(signal.z)}."


def note_leads(book: Notebook, signals: Sequence[Signal], target: str) -> None:
    """Order in time, only where the interval of the lag excludes zero."""
    for signal in signals:
        if signal.lead_seconds is None:
            continue
        lag = span(timedelta(seconds=abs(signal.lead_seconds)))
        side = "before" if signal.lead_seconds > 0 else "after"
        what = in_words(signal.kind, signal.component, signal.series)
        what = what[:1].lower() + what[1:]
        book.note(
            "lead_lag",
            f"Changes of {what} come {lag} {side} those of {target}.",
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
        f"PnL is {money} against its expected path (90% interval {low} to {high}){tail_of(impact)}.",
        series=tuple(series[:10]),
        value=impact.amount,
        unit=impact.unit,
        interval=Interval(low=impact.low, high=impact.high),
    )
    for label in dict.fromkeys(part.label for part in impact.by):
        parts = [part for part in impact.by if part.label == label]
        if len(parts) > 1:
            book.note(
                "attribution",
                f"By {label}: {_slices(parts, impact.unit)};"
                f" unexplained {format_money(impact.unexplained, impact.unit)}.",
                value=sum(part.amount for part in parts),
                unit=impact.unit,
                parameters={part.value: round(part.amount, 6) for part in parts[:20]},
            )
    return identifier


def tail_of(impact: Impact) -> str:
    """What to add to an amount: that it may be noise, or the rate at which it goes on."""
    if impact.low <= 0 <= impact.high:
        return ", within noise"
    return (
        "" if impact.per_hour is None else f", of late {format_money(impact.per_hour, impact.unit)} per hour"
    )


def _slices(parts: Sequence[ImpactPart], unit: str) -> str:
    """The largest slices by name and all others as one, so that what is read adds up."""
    shown, rest = (
        (parts, ()) if len(parts) <= MAX_SLICES else (parts[: MAX_SLICES - 1], parts[MAX_SLICES - 1 :])
    )
    told = [f"{part.value} {format_money(part.amount, unit)}" for part in shown]
    if rest:
        told.append(f"{len(rest)} others {format_money(sum(part.amount for part in rest), unit)}")
    return ", ".join(told)


def note_log(book: Notebook, finding: LogFinding) -> str:
    """That a log template burst, appeared or vanished; the template itself stays quoted."""
    what = "A new" if finding.is_new else "A known"
    level = finding.level.lower() or "log"
    who, seen = place(finding.logger or finding.component), plain(finding.observed)
    if finding.logger and finding.logger != finding.component:
        who = f"{who} about {place(finding.component)}"
    due = f"{plain(finding.expected)} were" if finding.expected >= HARDLY_ANY else "hardly any was"
    if finding.g > 0:
        text = f"{what} {level} line of {who}: {seen} times where {due} to be expected."
    else:
        text = f"A usual {level} line of {who} vanished: {seen} times where {due} to be expected."
    return book.note(
        "log_template",
        text,
        component=finding.component,
        quoted=(finding.quoted or finding.template)[:MAX_QUOTED],
        value=finding.observed,
        baseline=finding.expected,
        unit="lines",
        effect_size=finding.g,
        q_value=finding.q_value,
        direction="up" if finding.g > 0 else "down",
        parameters={"method": "G-test on line counts", "level": finding.level},
    )


def note_tested(book: Notebook, normal: Mapping[str, int], moved: int) -> str | None:
    """How many series were tested, moved, and were found to be as always; the numbers add up."""
    still = sum(normal.values())
    if not still and not moved:
        return None
    told = sorted(normal.items(), key=lambda one: (-one[1], one[0]))
    text = ", ".join(f"{count} {FAMILIES.get(family, family)}" for family, count in told)
    return book.note(
        "normal",
        f"Of {still + moved} series compared with their own past {moved} moved (q < 0.05 after correction"
        f" for all tests) and {still} did not{': ' if text else ''}{text}.",
        value=float(still),
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
        f"{len(missing)} more could not be judged for want of data ({shown}).",
        series=tuple(missing[:20]),
        value=float(len(missing)),
        unit="series",
    )
