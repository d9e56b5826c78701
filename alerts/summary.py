"""What a message says about an incident, before any channel's markup."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from alerts.outbox import Story
from domain.anomaly import Anomaly, Severity, severity_rank
from domain.diagnosis import Diagnosis
from domain.incident import Incident, lead_anomaly
from domain.money import Impact, format_money

MOVED_SHOWN = 5
MANY_SIGMAS = 60
RIVALS_SHOWN = 2
ACTIONS_SHOWN = 3
_UNFINISHED = {
    "queued": "Diagnosis is waiting to start.",
    "running": "Diagnosis is running.",
    "failed": "The diagnosis failed.",
    "cancelled": "The diagnosis was cancelled.",
}
_BARS = "▁▂▃▄▅▆▇█"
_SPARK_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Movement:
    """One series that left its normal behaviour; `change` is our own text, `series` came from outside."""

    series: str
    change: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cause with its confidence in percent."""

    title: str
    component: str | None
    percent: int


@dataclass(frozen=True, slots=True)
class Trend:
    """The leading series of late, as bars, oldest value first, with its lowest and highest value."""

    series: str
    bars: str
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person said about the diagnosis; `said` is a verdict of feedback, `cause` what it really was."""

    author: str
    said: str
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """All texts are unescaped; titles, names, causes and actions are untrusted.

    `rivals` are the next best causes, or the best ones where none was found. `undecided` says why there is
    no cause; it is None where there is one, or before a diagnosis.
    """

    incident_id: str
    title: str
    severity: Severity
    status: str
    since: datetime
    ended_at: datetime | None
    assignee: str | None
    moved: tuple[Movement, ...]
    moved_more: int
    money: str | None
    cause: Candidate | None
    rivals: tuple[Candidate, ...]
    undecided: str | None
    actions: tuple[str, ...]
    diagnosis_id: str | None
    url: str
    trend: Trend | None = None
    snoozed_until: datetime | None = None
    verdict: Verdict | None = None


def summarise(story: Story, dashboard_url: str) -> Summary:
    """Put a story into the few facts that fit a message."""
    incident, diagnosis = story.incident, story.diagnosis
    ordered = sorted(
        story.anomalies, key=lambda one: (-severity_rank(one.severity), -one.score, one.timestamp, one.key)
    )
    worst: dict[str, Movement] = {}
    for one in map(_movement, ordered):
        worst.setdefault(one.series, one)
    moved = list(worst.values())
    impact = incident.impact or (diagnosis.impact if diagnosis else None)
    cause, rivals = _causes(diagnosis)
    return Summary(
        incident_id=incident.id,
        title=incident.title,
        severity=incident.severity,
        status=incident.status,
        since=incident.started_at,
        ended_at=incident.ended_at,
        assignee=incident.assignee,
        moved=tuple(moved[:MOVED_SHOWN]),
        moved_more=max(len(moved) - MOVED_SHOWN, 0),
        money=_money(impact),
        cause=cause,
        rivals=rivals,
        undecided=_undecided(diagnosis),
        actions=_actions(diagnosis),
        diagnosis_id=diagnosis.id if diagnosis and diagnosis.status == "done" else None,
        url=f"{dashboard_url.rstrip('/')}/incidents/{incident.id}",
        trend=_trend(story),
        snoozed_until=incident.snoozed_until,
        verdict=_verdict(story),
    )


def _trend(story: Story) -> Trend | None:
    bars = sparkline(story.sparkline)
    shown = [one for one in story.sparkline[-_SPARK_WIDTH:] if math.isfinite(one)]
    if not bars:
        return None
    return Trend(story.sparkline_of, bars, number(min(shown)), number(max(shown)))


def _verdict(story: Story) -> Verdict | None:
    """The newest one that stands."""
    if not story.verdicts:
        return None
    last = story.verdicts[-1]
    return Verdict(last.author, last.verdict, last.actual_cause)


def group_of(anomalies: Sequence[Anomaly], incident: Incident) -> str:
    """What the cooldown counts together: the rule and series that lead the incident, else its title."""
    if not anomalies:
        return incident.title
    lead = lead_anomaly(anomalies)
    return f"{lead.rule}|{lead.affected_metrics[0] if lead.affected_metrics else ''}"


def clock_time(instant: datetime) -> str:
    """`21 Nov 06:10 UTC`, the same in every locale."""
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    instant = instant.astimezone(UTC)
    return f"{instant.day} {months[instant.month - 1]} {instant:%H:%M} UTC"


def duration(start: datetime, end: datetime) -> str:
    """`25 min`, `3 h 10 min`, `2 d 4 h`."""
    minutes = max(int((end - start).total_seconds() // 60), 0)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1_440} d {minutes % 1_440 // 60} h"


def sparkline(values: Sequence[float]) -> str:
    """The last values as bars; a gap (NaN) is a blank, and a constant is a low line."""
    recent = values[-_SPARK_WIDTH:]
    finite = [one for one in recent if math.isfinite(one)]
    if len(finite) < 2:
        return ""
    low, high = min(finite), max(finite)
    span = (high - low) or 1.0
    top = len(_BARS) - 1
    return "".join(_BARS[round((one - low) / span * top)] if low <= one <= high else " " for one in recent)


def number(value: float) -> str:
    """A figure short enough for a message: `12,345`, `0.61`, `1.2e-05`."""
    if abs(value) >= 1_000 and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _movement(anomaly: Anomaly) -> Movement:
    series = anomaly.affected_metrics[0] if anomaly.affected_metrics else anomaly.rule
    kind = anomaly.anomaly_type.replace("_", " ")
    parts = [kind]
    if anomaly.value is not None:
        parts.append(f"{number(anomaly.value)}{_usual(anomaly)}")
    if anomaly.z_score is not None:
        parts.append(_sigmas(anomaly.z_score))
    return Movement(series, ", ".join(parts), anomaly.severity)


def _sigmas(z_score: float) -> str:
    """Beyond some distance a z-score only says that the baseline was calm."""
    if abs(z_score) > MANY_SIGMAS:
        return f"over {MANY_SIGMAS} sigma {'up' if z_score > 0 else 'down'}"
    return f"{z_score:+.1f} sigma"


def _usual(anomaly: Anomaly) -> str:
    low, high = anomaly.expected.low, anomaly.expected.high
    if low is not None and high is not None:
        return f" (usual {number(low)} to {number(high)})"
    if low is not None:
        return f" (usual at least {number(low)})"
    return f" (usual at most {number(high)})" if high is not None else ""


def _money(impact: Impact | None) -> str | None:
    if impact is None:
        return None
    unit = impact.unit
    amount = format_money(impact.amount, unit)
    return f"{amount} (90 %: {format_money(impact.low, unit)} to {format_money(impact.high, unit)})"


def _causes(diagnosis: Diagnosis | None) -> tuple[Candidate | None, tuple[Candidate, ...]]:
    if diagnosis is None or diagnosis.primary_hypothesis is None or diagnosis.outcome == "no_fault":
        return None, ()
    candidates = tuple(
        Candidate(one.title, one.component, round(100 * one.confidence))
        for one in (diagnosis.primary_hypothesis, *diagnosis.alternative_hypotheses[:RIVALS_SHOWN])
    )
    if diagnosis.outcome == "cause_found":
        return candidates[0], candidates[1:]
    return None, candidates


def _undecided(diagnosis: Diagnosis | None) -> str | None:
    if diagnosis is None:
        return None
    if diagnosis.status != "done":
        return _UNFINISHED[diagnosis.status]
    if diagnosis.outcome == "no_fault":
        return "No fault: the evidence looks like normal behaviour."
    if diagnosis.outcome == "inconclusive":
        return "Inconclusive: no cause stands out from the evidence."
    return None


def _actions(diagnosis: Diagnosis | None) -> tuple[str, ...]:
    if diagnosis is None:
        return ()
    waiting = [action.text for action in diagnosis.immediate_actions if not action.done]
    return tuple(waiting[:ACTIONS_SHOWN])
