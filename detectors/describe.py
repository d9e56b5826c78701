"""From an episode to an anomaly that explains itself, in plain Python values."""

from datetime import datetime

from detectors.episodes import Episode
from detectors.group_watch import GroupWatch
from detectors.severity import PERSISTENT, confidence, crowd, severity, severity_by_score
from detectors.watch import Watch
from domain.anomaly import Anomaly, Expected, Severity, severity_rank
from domain.rule import Rule
from domain.series import Series

HIDDEN = {"rows"}
SUSPICIOUS = 3.0
STRONG = severity_rank("high")


def anomaly_of(
    watch: Watch | GroupWatch, row: int, episode: Episode, series: list[Series], detected_at: datetime
) -> Anomaly:
    """Describe an episode.

    Args:
        watch: the rule at work.
        row: subject of the rule.
        episode: what happened.
        series: all series of the grid, by row of the state.
        detected_at: when the service saw it.
    """
    rule, peak = watch.rule, episode.peak
    # Only those that it is about: naming all would be slow where thousands of series move at once.
    affected = [series[at] for at in watch.affected(row, episode)]
    p = min(max(10.0 ** -min(peak.surprise, 300.0), 0.0), 1.0)
    return Anomaly(
        timestamp=episode.onset,
        detected_at=max(detected_at, episode.onset),
        anomaly_type=rule.anomaly_type,
        severity=_severity(rule, episode, crowd(len(series))),
        confidence=min(
            max(confidence(peak.surprise, float(peak.detail.get("history_points", 288))), 0.0), 1.0
        ),
        z_score=peak.z,
        p_value=p,
        threshold_exceeded=peak.threshold,
        rule=rule.name,
        method=rule.method,
        score=peak.score,
        direction="up" if peak.side == "up" else "down" if peak.side == "down" else "both",
        value=peak.value,
        expected=Expected(low=peak.low, high=peak.high),
        affected_metrics=tuple(dict.fromkeys(one.name for one in affected)),
        data_sources=tuple(dict.fromkeys(one.source for one in affected)),
        status="open" if episode.ended is None else "resolved",
        ended_at=episode.ended,
        raw_data=_raw(rule, episode),
    )


def _severity(rule: Rule, episode: Episode, expected: float) -> Severity:
    peak = episode.peak
    if rule.severity_thresholds is not None:
        return severity_by_score(peak.score, rule.severity_thresholds)
    if rule.threshold is not None and rule.method != "threshold":
        return severity(peak.surprise, SUSPICIOUS + expected, peak.z, episode.cells)
    if rule.method == "threshold":
        return "high"
    level = severity(peak.surprise, (peak.threshold or SUSPICIOUS) + expected, peak.z, episode.cells)
    return _of_set(level, episode) if rule.method == "pca" else level


def _of_set(level: Severity, episode: Episode) -> Severity:
    """An unusual combination is at most medium, and that only where it is strong and lasts.

    What hurts shows in a single series too, and that one carries the severity.
    """
    return "medium" if severity_rank(level) >= STRONG and episode.cells >= PERSISTENT else "low"


def _raw(rule: Rule, episode: Episode) -> dict[str, object]:
    peak = episode.peak
    raw: dict[str, object] = {name: value for name, value in peak.detail.items() if name not in HIDDEN}
    raw.setdefault("method_scores", {rule.method: round(peak.score, 4)})
    raw["threshold"] = peak.threshold
    raw["surprise"] = round(peak.surprise, 4)
    raw["peak_at"] = peak.at.isoformat()
    raw["cells"] = episode.cells
    if episode.reason is not None:
        raw["ended_because"] = episode.reason
    return raw
