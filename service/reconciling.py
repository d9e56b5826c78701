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
        same = _same_events(anomaly, stored.get(_subject(anomaly), ()), tolerance)
        if not same and judged_until is not None and last_activity(anomaly) <= judged_until:
            continue
        # Each look at late data may have told the event from another onset: its end is the end of them all.
        over = [one for one in same[1:] if one.status == "open" and anomaly.status == "resolved"]
        for onset in [one.timestamp for one in (*same[:1], *over)] or [anomaly.timestamp]:
            told = anomaly.model_copy(update={"timestamp": onset})
            previous = kept.get(told.key)
            if previous is None or last_activity(told) >= last_activity(previous):
                kept[told.key] = told
    return list(kept.values())


def _subject(anomaly: Anomaly) -> tuple[str, str]:
    return anomaly.rule, anomaly.affected_metrics[0]


def _same_events(anomaly: Anomaly, candidates: Sequence[Anomaly], tolerance: timedelta) -> list[Anomaly]:
    """The stored anomalies that overlap with one, the closest in onset first."""
    end = anomaly.ended_at or last_activity(anomaly)
    near = [
        one
        for one in candidates
        if one.timestamp - tolerance <= end and anomaly.timestamp <= (one.ended_at or end) + tolerance
    ]
    return sorted(near, key=lambda one: abs(one.timestamp - anomaly.timestamp))
