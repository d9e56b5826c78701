"""Series that follow from others on the same grid: basis, divergence, correlation and the like; causal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from collectors.settings_derived import DerivedSettings
from domain.market import (
    basis_bps,
    divergence_bps,
    ratio_to_usual,
    realized_volatility_bps,
    returns_bps,
    trailing_correlation,
)
from domain.series import FloatArray, SampleBatch, Series, SeriesKey, Window
from domain.timestamps import to_microseconds

Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class _Derived:
    labels: Labels
    values: FloatArray


def derive(window: Window, first: int, settings: Sequence[DerivedSettings]) -> SampleBatch:
    """Compute the configured series from a column on.

    Args:
        window: the recent past; its series must hold what the selectors name.
        first: columns before this one are not written again.
        settings: of the new series.

    Returns:
        What is new or has another value than the window holds; a column follows from itself and those before.
    """
    series: list[Series] = []
    index, stamps, numbers = [], [], []
    times = (
        to_microseconds(window.start) + np.arange(window.n_steps, dtype=np.int64) * window.step_s * 1_000_000
    )
    for one in settings:
        for found in _limited(_KINDS[one.kind](window, one), one.max_series):
            key = SeriesKey.of(one.metric, {**found.labels, **one.labels})
            kept = _news(window, key.name, found.values, first)
            if kept.any():
                index.append(np.full(int(kept.sum()), len(series), dtype=np.int64))
                stamps.append(times[kept])
                numbers.append(found.values[kept])
                series.append(Series(0, key, "market_data", one.unit, window.step_s))
    if not series:
        return SampleBatch.of(())
    return SampleBatch(tuple(series), np.concatenate(index), np.concatenate(stamps), np.concatenate(numbers))


def _limited(found: Iterator[_Derived], most: int) -> Iterator[_Derived]:
    for _, one in zip(range(most), found, strict=False):
        yield one


def _news(window: Window, name: str, values: FloatArray, first: int) -> np.ndarray:
    kept = np.isfinite(values)
    kept[: max(0, first)] = False
    if name in window.positions:
        # Sums over another stretch of the past round otherwise: that is no news.
        kept &= ~np.isclose(window.row(name), values, rtol=1e-9, atol=1e-9)
    return kept


def _selected(window: Window, selector: str) -> list[int]:
    """Rows of the series with this metric and at least these labels."""
    wanted = SeriesKey.parse(selector)
    labels = set(wanted.labels)
    return [
        i
        for i, one in enumerate(window.series)
        if one.key.metric == wanted.metric and labels <= set(one.key.labels)
    ]


def _each(
    compute: Callable[[FloatArray, int], FloatArray],
) -> Callable[[Window, DerivedSettings], Iterator[_Derived]]:
    def derived(window: Window, settings: DerivedSettings) -> Iterator[_Derived]:
        for row in _selected(window, settings.of):
            yield _Derived(dict(window.series[row].key.labels), compute(window.values[row], settings.window))

    return derived


def _against(
    compute: Callable[[FloatArray, FloatArray], FloatArray],
) -> Callable[[Window, DerivedSettings], Iterator[_Derived]]:
    """Every series against the only one on the other side that shares the labels of `per`."""

    def derived(window: Window, settings: DerivedSettings) -> Iterator[_Derived]:
        others: dict[tuple[str | None, ...], list[int]] = {}
        for row in _selected(window, settings.against or ""):
            others.setdefault(_shared(window, row, settings.per), []).append(row)
        for row in _selected(window, settings.of):
            there = others.get(_shared(window, row, settings.per), [])
            if len(there) == 1 and there[0] != row:
                values = compute(window.values[row], window.values[there[0]])
                yield _Derived(dict(window.series[row].key.labels), values)

    return derived


def _shared(window: Window, row: int, per: Sequence[str]) -> tuple[str | None, ...]:
    return tuple(window.series[row].key.label(name) for name in per)


def _groups(window: Window, settings: DerivedSettings) -> Iterator[tuple[Labels, list[int]]]:
    groups: dict[tuple[str | None, ...], list[int]] = {}
    for row in _selected(window, settings.of):
        groups.setdefault(_shared(window, row, settings.per), []).append(row)
    for values, rows in groups.items():
        labels = {name: value for name, value in zip(settings.per, values, strict=True) if value is not None}
        yield labels, rows


def _divergence(window: Window, settings: DerivedSettings) -> Iterator[_Derived]:
    for labels, rows in _groups(window, settings):
        if len(rows) > 1:
            yield _Derived(labels, divergence_bps(window.values[rows]))


def _correlation(window: Window, settings: DerivedSettings) -> Iterator[_Derived]:
    for labels, rows in _groups(window, settings):
        moves = {row: returns_bps(window.values[row]) for row in rows}
        for one, other in combinations(sorted(rows, key=lambda row: window.series[row].name), 2):
            pair = f"{_told(window, one, other, settings)}~{_told(window, other, one, settings)}"
            found = trailing_correlation(moves[one], moves[other], settings.window)
            yield _Derived({**labels, "pair": pair}, found)


def _told(window: Window, row: int, other: int, settings: DerivedSettings) -> str:
    """What tells a series from its partner: the labels in which they differ."""
    mine, theirs = dict(window.series[row].key.labels), dict(window.series[other].key.labels)
    odd = [
        value
        for name, value in sorted(mine.items())
        if theirs.get(name) != value and name not in settings.per
    ]
    return " ".join(odd) or window.series[row].name


_KINDS: Mapping[str, Callable[[Window, DerivedSettings], Iterator[_Derived]]] = {
    "return": _each(lambda values, _: returns_bps(values)),
    "volatility": _each(lambda values, cells: realized_volatility_bps(returns_bps(values), cells)),
    "ratio_to_usual": _each(ratio_to_usual),
    "basis": _against(basis_bps),
    "difference": _against(lambda one, other: one - other),
    "divergence": _divergence,
    "correlation": _correlation,
}
