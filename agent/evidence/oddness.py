"""How odd each series is by itself, and each component by its series."""

from collections.abc import Mapping, Sequence

import numpy as np

from agent.evidence.measured import Measured
from agent.evidence.settings import EvidenceSettings
from agent.vocabulary import class_of, is_about_dependencies
from domain.series import FloatArray

NOTABLE = 0.1
# A series that went still counts like one that moved by twenty spreads, where its p-value has four digits.
STILL_SIZE = float(np.log1p(20.0))
CERTAIN_DIGITS = 4.0
# What a market of a venue is seen and traded through.
DOORS = frozenset({"feed", "gateway", "venue"})
# A single sample says less than a level of the same height.
SPIKE_SHARE = 0.45


def series_scores(measured: Measured, settings: EvidenceSettings) -> FloatArray:
    """How odd each series is: size, peak, separation and closeness of its change to the onset."""
    shifts = measured.shifts
    size = np.log1p(np.minimum(np.abs(shifts.z), settings.max_z))
    surprise = np.minimum(-np.log10(np.maximum(measured.still.p, 1e-12)) / CERTAIN_DIGITS, 1.0)
    size = np.where(shifts.spike != 0, np.maximum(size, SPIKE_SHARE * np.log1p(shifts.peak)), size)
    size = np.where(measured.still.still, np.maximum(size, STILL_SIZE * surprise), size)
    peak = 0.15 * np.log1p(shifts.peak)
    separation = np.abs(2 * shifts.auc - 1)
    closeness = 0.6 * np.exp(-np.abs(shifts.change) / 6)
    odd = _weights(measured, settings) * (size + peak + separation + closeness)
    scores: FloatArray = np.where(shifts.tested, odd, 0.0)
    return scores


def _weights(measured: Measured, settings: EvidenceSettings) -> FloatArray:
    """Less for what tells of others, and for moves in the direction that does no harm.

    A log volume reports on whatever the lines are about, client-side latency on those who are called, and a
    market that stands still on the feed through which it is seen, where that is odd.
    """
    series = measured.window.series
    blind = _troubled_venues(measured)
    weights = np.ones(len(series))
    rises = np.where(measured.shifts.spike != 0, measured.shifts.spike, measured.shifts.z) > 0
    for i, one in enumerate(series):
        if is_about_dependencies(one.key.metric):
            weights[i] *= settings.dependency_weight
        if measured.kinds[i].family == "log":
            weights[i] *= settings.report_weight
        if measured.still.still[i] and _market_venue(measured.components[i]) in blind:
            weights[i] *= settings.report_weight
        bad = measured.kinds[i].bad
        if bad != "both" and (bad == "up") != bool(rises[i]) and not measured.still.still[i]:
            weights[i] *= settings.harmless_weight
    return weights


def _troubled_venues(measured: Measured) -> frozenset[str]:
    """Venues of which the feed, the gateway or the venue itself is odd: what explains a still market."""
    return frozenset(
        component.partition(":")[2]
        for i, component in enumerate(measured.components)
        if class_of(component) in DOORS and measured.shifts.tested[i] and measured.q[i] < NOTABLE
    )


def _market_venue(component: str) -> str | None:
    """The venue of `market:VENUE:SYMBOL`; None for everything else."""
    return component.split(":")[1] if class_of(component) == "market" and ":" in component else None


def own_score(rows: Sequence[int], series: FloatArray, measured: Measured) -> float:
    """The best series, and 0.3 of the best one of another kind where that is notable too."""
    best = rows[0]
    second = next(
        (i for i in rows[1:] if measured.kinds[i] is not measured.kinds[best] and measured.q[i] < NOTABLE),
        None,
    )
    return float(series[best] + (0.3 * series[second] if second is not None else 0.0))


def odd_components(measured: Measured, settings: EvidenceSettings) -> Mapping[str, float]:
    """Components with a series that moved, other than money and logs, by the score of the oddest of them."""
    scores = series_scores(measured, settings)
    moved = measured.candidates & measured.shifts.tested & (measured.q < settings.notable)
    out: dict[str, float] = {}
    for i in np.flatnonzero(moved):
        if measured.kinds[i].family != "log":
            name = measured.components[i]
            out[name] = max(out.get(name, 0.0), float(scores[i]))
    return out
