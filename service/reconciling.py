"""What judging a stretch of time again may say: nothing twice, and nothing new about times long judged.

After a restart, a change of the rules or late data the engine looks at past cells again, with other baselines
than when they were new. The same event may then begin a cell earlier or later, and a borderline cell may fall
on the other side.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from domain.anomaly import Anomaly
from domain.incident import last_activity


def reconciled(
    found: Sequence[Anomaly],
    known: Iterable[Anomaly],
    *,
    judged_until: datetime | None,
    tolerance: timedelta,
) -> list[Anomaly]:
    """Anomalies as they should be stored.

    Args:
        found: what the engine says now.
        known: what is stored of the same stretch of time.
        judged_until: up to when an earlier process judged the data; what ended before is not news unless it
            is stored. None where this process judged everything itself.
        tolerance: how far apart two descriptions of one event may be.

    Returns:
        The same anomalies, those of a known event under its onset (and so its identity), without old news.
    """
    stored: dict[tuple[str, str], list[Anomaly]] = {}
    for anomaly in known:
        stored.setdefault(_subject(anomaly), []).append(anomaly)
    kept: dict[str, Anomaly] = {}
    for anomaly in found:
        same = _same_event(anomaly, stored.get(_subject(anomaly), ()), tolerance)
        if same is not None:
            anomaly = anomaly.model_copy(update={"timestamp": same.timestamp})  # noqa: PLW2901
        elif judged_until is not None and last_activity(anomaly) <= judged_until:
            continue
        previous = kept.get(anomaly.key)
        if previous is None or last_activity(anomaly) >= last_activity(previous):
            kept[anomaly.key] = anomaly
    return list(kept.values())


def _subject(anomaly: Anomaly) -> tuple[str, str]:
    return anomaly.rule, anomaly.affected_metrics[0]


def _same_event(anomaly: Anomaly, candidates: Sequence[Anomaly], tolerance: timedelta) -> Anomaly | None:
    """The stored anomaly that overlaps most closely in onset, if any overlaps at all."""
    end = anomaly.ended_at or last_activity(anomaly)
    near = [
        one
        for one in candidates
        if one.timestamp - tolerance <= end and anomaly.timestamp <= (one.ended_at or end) + tolerance
    ]
    return min(near, key=lambda one: abs(one.timestamp - anomaly.timestamp), default=None)
