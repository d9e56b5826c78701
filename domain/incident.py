"""Incidents: anomalies that share time and, likely, cause."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from domain.anomaly import Anomaly, Severity, severity_rank
from domain.money import Impact

IncidentStatus = Literal["open", "acknowledged", "resolved"]
CORE = severity_rank("medium")


class Incident(BaseModel):
    """What people work on; `escalation` counts the steps taken because nobody acknowledged it."""

    model_config = ConfigDict(frozen=True)

    id: str = ""
    title: str
    status: IncidentStatus = "open"
    severity: Severity
    started_at: datetime
    ended_at: datetime | None = None
    assignee: str | None = None
    snoozed_until: datetime | None = None
    anomaly_ids: tuple[str, ...] = ()
    diagnosis_id: str | None = None
    impact: Impact | None = None
    escalation: int = 0
    escalated_at: datetime | None = None


def last_activity(anomaly: Anomaly) -> datetime:
    """When an anomaly was last seen away from normal."""
    return anomaly.ended_at or anomaly.detected_at


def group_by_gap(
    anomalies: Sequence[Anomaly],
    max_gap: timedelta,
    related: Callable[[Anomaly, Anomaly], bool] = lambda _a, _b: True,
) -> list[list[Anomaly]]:
    """Group anomalies that are related and whose activity is at most `max_gap` apart.

    Groups are the connected components of that relation, each sorted by onset, the groups by their first
    onset: the order of the input does not matter.
    """
    ordered = sorted(anomalies, key=lambda one: (one.timestamp, one.key))
    groups: list[list[Anomaly]] = []
    for anomaly in ordered:
        near = [
            group
            for group in groups
            if any(
                anomaly.timestamp - last_activity(member) <= max_gap and related(member, anomaly)
                for member in group
            )
        ]
        merged = sorted(
            [*(member for group in near for member in group), anomaly],
            key=lambda one: (one.timestamp, one.key),
        )
        groups = [group for group in groups if group not in near]
        groups.append(merged)
    return sorted(groups, key=lambda group: (group[0].timestamp, group[0].key))


def core_anomalies(anomalies: Sequence[Anomaly]) -> list[Anomaly]:
    """The anomalies that make an incident: those at medium or above, else all of them.

    A low one may accompany an incident, but it neither starts one that others made nor ties two together.
    """
    strong = [one for one in anomalies if severity_rank(one.severity) >= CORE]
    return strong or list(anomalies)


def start_of(anomalies: Sequence[Anomaly]) -> datetime:
    """When the trouble began: the first onset of its core, not of what merely came along.

    A joint score has no onset of its own and that of a level shift is smeared, so others count first. A lone
    weaker one that was over before the others began came by chance.
    """
    core = core_anomalies(anomalies)
    sharp = [one for one in core if one.method not in {"pca", "changepoint"}]
    ordered = sorted(sharp or core, key=lambda one: one.timestamp)
    worst = max(severity_rank(one.severity) for one in ordered)
    while severity_rank(ordered[0].severity) < worst and _was_over(ordered[0], ordered[1].timestamp):
        ordered.pop(0)
    return ordered[0].timestamp


def _was_over(anomaly: Anomaly, instant: datetime) -> bool:
    return anomaly.ended_at is not None and anomaly.ended_at < instant


def end_of(anomalies: Sequence[Anomaly]) -> datetime | None:
    """When the trouble was over: the last end of its core; None while one of the core goes on.

    What merely came along neither starts an incident nor keeps it open.
    """
    core = core_anomalies(anomalies)
    if any(one.status == "open" for one in core):
        return None
    return max(one.ended_at or one.detected_at for one in core)


def lead_anomaly(anomalies: Sequence[Anomaly]) -> Anomaly:
    """The anomaly that names an incident: money among its core, single series before sets, then the worst.

    A named kind of trouble says more than a shift of a level.
    """
    core = {one.key for one in core_anomalies(anomalies)}
    return min(
        anomalies,
        key=lambda one: (
            one.key not in core,
            "pnl_data" not in one.data_sources,
            one.anomaly_type == "multivariate",
            one.anomaly_type == "level_shift",
            -severity_rank(one.severity),
            -one.score,
            one.timestamp,
            one.key,
        ),
    )
