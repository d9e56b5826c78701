"""Surprise: how unlikely a statistic is, as -log10 of a probability, on one scale for every method."""

import math

import numpy as np

from domain.series import FloatArray

LOG10_E = math.log10(math.e)
DEGREES = 6.0
MAX_SURPRISE = 300.0


def student_surprise(z: FloatArray) -> FloatArray:
    """Two-sided tail surprise of standardised deviations under a heavy-tailed law.

    The tail of Student's t with 6 degrees of freedom up to a constant: the power law keeps one wild sample
    of a heavy-tailed series from looking impossible. It is only nominal; `detectors.tail` calibrates it
    against each series' own history.

    Args:
        z: any shape; NaN gives NaN.

    Returns:
        Non-negative surprises of the same shape, 0 at z = 0.
    """
    result: FloatArray = np.minimum(0.5 * DEGREES * np.log10(1.0 + np.square(z) / DEGREES), MAX_SURPRISE)
    return result


def p_value(surprise: FloatArray) -> FloatArray:
    """Probabilities in (0, 1] of surprises; NaN (not scored) becomes 1."""
    return np.power(10.0, -np.clip(np.nan_to_num(surprise, nan=0.0, posinf=MAX_SURPRISE), 0.0, MAX_SURPRISE))


def budget_surprise(alarm_budget: float, step_s: float | FloatArray) -> FloatArray:
    """The surprise that a calibrated series exceeds `alarm_budget` times a day.

    Args:
        alarm_budget: alarms per series and day.
        step_s: seconds between samples, any shape.
    """
    return np.asarray(-np.log10(np.minimum(alarm_budget * np.asarray(step_s) / 86_400.0, 0.5)))
