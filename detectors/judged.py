"""One rule's verdict on one column: scores, calibrated surprise, side and band."""

from dataclasses import dataclass

import numpy as np

from detectors.budget import AlarmBudget
from detectors.surprise import student_surprise
from detectors.tail import Tail
from domain.rule import Rule
from domain.series import BoolArray, FloatArray, IntArray

SURPRISE_METHODS = {"frozen": 1.0, "stale": 1.2}
FIXED = {"threshold": 6.0}


@dataclass(frozen=True, slots=True)
class Judged:
    """All arrays of shape (n_subjects,): the series (or groups) of one rule.

    Args:
        score: on the method's own scale, NaN where not judged.
        surprise: calibrated -log10 of the p-value, NaN where not judged.
        z: signed size in standard deviations, NaN where the method has none.
        side: +1 above, -1 below, 0 without a side.
        low: lower end of the expected band.
        high: upper end.
        alarm: cells that raise an anomaly.
        stay: cells that keep an open anomaly open.
        threshold: score that was needed.
        since: columns back to the onset, where the method knows it, else -1.
        unit: the baseline in words.
    """

    score: FloatArray
    surprise: FloatArray
    z: FloatArray
    side: FloatArray
    low: FloatArray
    high: FloatArray
    alarm: BoolArray
    stay: BoolArray
    threshold: FloatArray
    since: IntArray
    unit: str


def calibrated(rule: Rule, score: FloatArray, z: FloatArray, tail: Tail) -> FloatArray:
    """Surprise of the method's scores within each subject's own history; the tail learns from them.

    Methods whose score is a probability already, or which draw a fixed line, keep their own scale.
    """
    if rule.method in SURPRISE_METHODS:
        return score * SURPRISE_METHODS[rule.method]
    if rule.method in FIXED:
        return np.where(np.isfinite(score), FIXED[rule.method], np.nan)
    nominal = student_surprise(np.clip(z, -1e9, 1e9))
    surprise = tail.surprise(nominal)
    tail.learn(np.nan_to_num(nominal, nan=0.0), np.isfinite(nominal))
    return surprise


def alarmed(
    rule: Rule, score: FloatArray, surprise: FloatArray, side: FloatArray, budget: AlarmBudget
) -> tuple[BoolArray, BoolArray, FloatArray]:
    """Cells that alarm, cells that keep an anomaly open, and the score that was needed.

    A rule's own `threshold` decides where it is given; else the false-alarm budget does.
    """
    facing = _facing(rule, score, side)
    if rule.threshold is None:
        needed = budget.threshold
        return facing & (surprise >= needed), facing & (surprise >= needed - 1.0), needed
    line = np.full(len(score), rule.threshold)
    if rule.method == "threshold":
        beyond = score < line if rule.direction == "down" else score > line
        return beyond & np.isfinite(score), beyond & np.isfinite(score), line
    size = np.abs(score)
    return facing & (size >= line), facing & (size >= 0.75 * line), line


def _facing(rule: Rule, score: FloatArray, side: FloatArray) -> BoolArray:
    """Cells judged that left the band on the side the rule watches."""
    judged: BoolArray = np.isfinite(score)
    if rule.direction == "up":
        return judged & (side >= 0)
    if rule.direction == "down":
        return judged & (side <= 0)
    return judged
