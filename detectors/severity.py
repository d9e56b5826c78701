"""Severity and confidence from the p-value, the size and the persistence of an anomaly."""

import math

from domain.anomaly import SEVERITIES, Severity
from domain.rule import SeverityThresholds

PRIOR = 1e-3
STEPS = (1.0, 2.5, 4.5)
PERSISTENT = 3
SMALL = 4.0
FEW_SERIES = 20.0


def confidence(surprise: float, points: float) -> float:
    """Posterior probability that an anomaly is none of chance.

    Bayes' rule with the largest Bayes factor a p-value allows, 1 / (-e p ln p) (Sellke, Bayarri and Berger,
    2001), a prior of one anomalous sample in a thousand, and less trust in a short past.

    Args:
        surprise: -log10 of the p-value.
        points: samples of the series seen before.
    """
    p = min(math.pow(10.0, -min(surprise, 300.0)), 1 / math.e)
    against = -math.e * p * math.log(max(p, 1e-300)) * (1 - PRIOR) / PRIOR
    return round(points / (points + 50.0) / (1.0 + against), 4)


def severity(surprise: float, threshold: float, z: float | None, cells: int) -> Severity:
    """How urgent an anomaly is.

    Each level needs more surprise beyond the alarm threshold (1, 2.5 and 4.5 decades); an anomaly that
    lasts counts half a decade more, and one smaller than four standard deviations is never above medium.
    """
    beyond = surprise - threshold + (0.5 if cells >= PERSISTENT else 0.0)
    level = sum(beyond >= step for step in STEPS)
    if z is not None and abs(z) < SMALL:
        level = min(level, 1)
    return SEVERITIES[level]


def crowd(n_series: int) -> float:
    """Decades by which more surprise is needed among many series: the largest of many is large by chance.

    Args:
        n_series: how many are watched; up to twenty need nothing more.
    """
    return max(0.0, math.log10(max(n_series, 1) / FEW_SERIES))


def severity_by_score(score: float, thresholds: SeverityThresholds) -> Severity:
    """Severity from a rule's own thresholds; below `low` it is still low."""
    size = abs(score)
    level: Severity = "low"
    for name in SEVERITIES:
        if size >= getattr(thresholds, name):
            level = name
    return level
