"""A start on older data knows its habits at once, and among many series more is asked of each."""

from datetime import UTC, datetime, timedelta

import numpy as np

from detectors.default_rules import default_rules
from detectors.engine import DetectionEngine
from detectors.group_watch import lively
from detectors.settings import DetectionSettings
from detectors.severity import crowd, severity
from domain.anomaly import severity_rank
from domain.series import Series, SeriesKey, Window

STEP = timedelta(minutes=5)
START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = 288


def window(days: int, start: datetime) -> Window:
    generator = np.random.default_rng(5)
    rare = generator.poisson(0.08, (12, days * DAY)).astype(np.float64)
    wild = np.exp(generator.standard_t(4, (12, days * DAY)))
    series = [
        Series(0, SeriesKey.of("log_lines", {"component": f"c{i}", "level": "WARN"})) for i in range(12)
    ]
    series += [Series(0, SeriesKey.of("latency_ms", {"host": f"h{i}"})) for i in range(12)]
    return Window(tuple(series), 300, start, np.vstack([rare, wild]))


def urgent(*, with_history: bool) -> int:
    both = window(6, START)
    cut = START + timedelta(days=5)
    engine = DetectionEngine(default_rules(), DetectionSettings())
    if with_history:
        engine.learn(both.between(START, cut))
    recent = both.between(cut, both.end)
    found = engine.detect(recent, 0, recent.end).anomalies
    return sum(severity_rank(one.severity) >= severity_rank("medium") for one in found)


def test_history_keeps_the_first_day_quiet() -> None:
    # 24 series: eight alarms of any severity would be within the budget of a day.
    assert urgent(with_history=True) <= 2
    assert urgent(with_history=True) <= urgent(with_history=False)


def test_among_many_series_the_same_surprise_is_less_urgent() -> None:
    alone = severity(6.0, 3.0 + crowd(1), 8.0, 1)
    among = severity(6.0, 3.0 + crowd(400), 8.0, 1)
    assert severity_rank(among) < severity_rank(alone)
    assert crowd(20) == 0.0


def test_counts_of_rare_things_have_no_pattern_to_break() -> None:
    rows = np.vstack([np.arange(10.0), np.eye(10)[3]])
    kept = lively(rows)
    assert np.isfinite(kept[0]).all()
    assert np.isnan(kept[1]).all()
