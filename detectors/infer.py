"""Detection on data at hand: nothing is stored, nothing is remembered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from detectors.default_rules import default_rules
from detectors.engine import DetectionEngine
from detectors.settings import DetectionSettings
from domain.anomaly import Anomaly
from domain.errors import InvalidInput
from domain.rule import Rule
from domain.series import FloatArray, IntArray, Series, SeriesKey, Window, floor_to_step
from domain.timestamps import from_microseconds, to_microseconds

MOST_CELLS = 100_000
USUAL_STEP_S = 300


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Anomalies that a changed rule would add and remove."""

    appear: tuple[Anomaly, ...]
    vanish: tuple[Anomaly, ...]


def infer(
    series: Mapping[str, tuple[Sequence[datetime], Sequence[float]]],
    rules: Sequence[Rule] | None = None,
    settings: DetectionSettings | None = None,
) -> tuple[Anomaly, ...]:
    """Detect anomalies in series given as times and values.

    Args:
        series: per name (`metric{label="value"}`), aware times in any order and as many values; of two values
            in one cell the later one in the list wins.
        rules: rules to apply, the default ones if None.
        settings: settings, the default ones if None.

    Raises:
        InvalidInput: unequal lengths, a naive time, an unusable name, or more than 100,000 cells.
    """
    windows = _windows(series)
    engine = DetectionEngine(default_rules() if rules is None else rules, settings or DetectionSettings())
    found = [one for window in windows for one in engine.detect(window, 0, window.end).anomalies]
    return tuple(sorted(found, key=lambda one: (one.timestamp, one.key)))


def what_if(
    rule: Rule,
    window: Window,
    current: Sequence[Rule] = (),
    settings: DetectionSettings | None = None,
    first: int = 0,
) -> WhatIf:
    """Compare what a rule finds with what stands now.

    Args:
        rule: the rule as it would be.
        window: stored history.
        current: the rules in force; the one of the same name is replaced.
        settings: settings, the default ones if None.
        first: first column whose anomalies count; earlier ones only teach.
    """
    settings = settings or DetectionSettings()
    before = [one for one in current if one.name == rule.name]
    old, new = _keys(before, window, settings, first), _keys([rule], window, settings, first)
    return WhatIf(
        tuple(new[key] for key in sorted(new.keys() - old.keys())),
        tuple(old[key] for key in sorted(old.keys() - new.keys())),
    )


def _keys(
    rules: Sequence[Rule], window: Window, settings: DetectionSettings, first: int
) -> dict[str, Anomaly]:
    if not rules:
        return {}
    found = DetectionEngine(rules, settings).detect(window, 0, window.end).anomalies
    start = window.time_at(first)
    return {one.key: one for one in found if (one.ended_at or window.end) > start}


def _windows(series: Mapping[str, tuple[Sequence[datetime], Sequence[float]]]) -> list[Window]:
    by_step: dict[int, list[tuple[Series, IntArray, FloatArray]]] = {}
    for name, (times, values) in series.items():
        micros, numbers = _columns(name, times, values)
        step = _step(micros)
        one = Series(0, SeriesKey.parse(name), step_s=step)
        by_step.setdefault(step, []).append((one, micros, numbers))
    return [_window(step, members) for step, members in sorted(by_step.items())]


def _columns(name: str, times: Sequence[datetime], values: Sequence[float]) -> tuple[IntArray, FloatArray]:
    if len(times) != len(values):
        raise InvalidInput(f"series.{name}", f"{len(times)} timestamps for {len(values)} values")
    if any(one.tzinfo is None for one in times):
        raise InvalidInput(f"series.{name}.timestamps", "must have an offset")
    micros = np.array([to_microseconds(one) for one in times], dtype=np.int64)
    return micros, np.array(values, dtype=np.float64)


def _step(micros: IntArray) -> int:
    """Median distance of distinct times in whole seconds."""
    gaps = np.diff(np.unique(micros))
    return max(round(float(np.median(gaps)) / 1e6), 1) if len(gaps) else USUAL_STEP_S


def _window(step_s: int, members: list[tuple[Series, IntArray, FloatArray]]) -> Window:
    filled = [micros for _, micros, _ in members if len(micros)]
    if not filled:
        start = from_microseconds(0)
        return Window(tuple(one for one, _, _ in members), step_s, start, np.full((len(members), 0), np.nan))
    width = step_s * 1_000_000
    start = floor_to_step(from_microseconds(int(min(one.min() for one in filled))), step_s)
    origin = to_microseconds(start)
    cells = int((max(one.max() for one in filled) - origin) // width) + 1
    if cells > MOST_CELLS:
        raise InvalidInput("series", f"spans {cells} cells of {step_s} s, more than {MOST_CELLS}")
    values = np.full((len(members), cells), np.nan)
    for row, (_, micros, numbers) in enumerate(members):
        values[row, (micros - origin) // width] = numbers
    return Window(tuple(one for one, _, _ in members), step_s, start, values)
