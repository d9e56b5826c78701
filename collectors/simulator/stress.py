"""How incidents press on the desk: named factors over time, neutral where nothing happens."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from collectors.simulator.layout import BOOKS, LINKS, PLANS, STEP_S
from domain.series import FloatArray, IntArray

# Every factor adds to something that is zero in quiet times: a logarithm, a logit, points or basis points.
FACTORS: Final[dict[str, tuple[int, ...]]] = {
    "gateway_latency": (3,),  # log of acknowledgement latency, by venue
    "gateway_reject": (3,),  # logit of the reject ratio, by venue
    "queue": (3,),  # log of the order queue, by venue
    "feed_latency": (3,),  # log, by venue
    "feed_stall": (3,),  # share of time without messages, by venue
    "log_volatility": (3,),  # by symbol
    "drift": (3,),  # bps per step, by symbol
    "decouple": (3,),  # share of the common factor lost, by symbol
    "displacement": (3, 3),  # bps away from the fair price, by venue and symbol
    "log_volume": (3, 3),
    "log_spread": (3, 3),
    "log_depth": (3, 3),
    "funding": (3, 3),  # bps per 8 hours
    "connections": (1,),
    "pool_wait": (1,),  # log
    "database_latency": (1,),  # log
    "cpu": (3,),  # points, by host
    "memory": (3,),  # points, by host
    "gc": (3,),  # log, by host
    "network": (3,),  # errors per step, by host
    "activity": (len(LINKS),),  # log of orders, by strategy and venue
    "slippage": (len(LINKS),),  # bps
    "fill": (len(LINKS),),  # logit
    "edge": (len(PLANS),),  # bps
    "hold": (len(PLANS),),  # share of inventory control lost
    "order_size": (len(BOOKS),),  # log
    "inventory": (len(BOOKS),),  # USD per step
}
# Levels are what they are at the end of a step; everything else is the mean over it.
_LEVELS: Final = frozenset({"displacement"})
_OFFSETS: Final = np.array([30.0, 90.0, 150.0, 210.0, 270.0])

Shape = Literal["plateau", "spike", "grow", "pump"]
Where = tuple[int, ...]
Envelope = Callable[[FloatArray, float, "Effect"], FloatArray]


@dataclass(frozen=True, slots=True)
class Effect:
    """One factor under pressure.

    Args:
        factor: a key of FACTORS.
        where: position in that factor; empty for all.
        size: full pressure, in the factor's unit.
        shape: `plateau` rises, holds and recovers; `spike` rises and decays at once; `grow` rises until the
            end; `pump` rises to two thirds of the time, collapses below the start and recovers.
        delay_s, ramp_s, tail_s: seconds until it begins, until it is full, and of the recovery.
        lasts_s: where given, it ends so long after it began, not with the incident.
    """

    factor: str
    where: Where
    size: float
    shape: Shape = "plateau"
    delay_s: float = 0.0
    ramp_s: float = 180.0
    tail_s: float = 400.0
    lasts_s: float | None = None


@dataclass(frozen=True, slots=True)
class Pressure:
    """An effect in time: from `start_s` to `end_s` (seconds since 1970), scaled by `intensity`."""

    effect: Effect
    start_s: float
    end_s: float
    intensity: float

    def envelope(self, seconds: FloatArray) -> FloatArray:
        """Share of full pressure at each instant; same shape as `seconds`."""
        effect = self.effect
        begin = self.start_s + effect.delay_s
        end = self.end_s if effect.lasts_s is None else min(self.end_s, begin + effect.lasts_s)
        return _SHAPES[effect.shape](seconds - begin, max(end - begin, 1.0), effect)


def _plateau(age: FloatArray, length: float, effect: Effect) -> FloatArray:
    rise = np.clip(age / effect.ramp_s, 0, 1)
    share: FloatArray = rise * np.exp(-np.clip(age - length, 0, None) / effect.tail_s)
    return share


def _spike(age: FloatArray, _length: float, effect: Effect) -> FloatArray:
    rise = np.clip(age / effect.ramp_s, 0, 1)
    share: FloatArray = rise * np.exp(-np.clip(age - effect.ramp_s, 0, None) / effect.tail_s)
    return share


def _grow(age: FloatArray, length: float, effect: Effect) -> FloatArray:
    rise = np.clip(age / length, 0, 1)
    share: FloatArray = rise * np.exp(-np.clip(age - length, 0, None) / effect.tail_s)
    return share


def _pump(age: FloatArray, length: float, effect: Effect) -> FloatArray:
    knots = np.array([0.0, 0.25, 0.5, 0.66, 0.74, 0.85, 1.0]) * length
    level = np.interp(age, knots, np.array([0.0, 0.22, 0.65, 1.0, 0.30, 0.02, -0.08]))
    share: FloatArray = level * np.exp(-np.clip(age - length, 0, None) / effect.tail_s)
    return share


_SHAPES: Final[dict[str, Envelope]] = {"plateau": _plateau, "spike": _spike, "grow": _grow, "pump": _pump}
_NEGLIGIBLE_TAILS: Final = 7.0
LONGEST_TAIL_S: Final = 5_000.0
MEMORY_S: Final = _NEGLIGIBLE_TAILS * LONGEST_TAIL_S
"""Seconds after its end for which an incident can be felt."""


def stress_of(pressures: Iterable[Pressure], steps: IntArray) -> dict[str, FloatArray]:
    """Sum all pressures over consecutive steps.

    Returns:
        For each factor an array of shape (len(steps), *shape of the factor).
    """
    total = {name: np.zeros((len(steps), *shape)) for name, shape in FACTORS.items()}
    for one in pressures:
        effect = one.effect
        last = one.end_s + _NEGLIGIBLE_TAILS * effect.tail_s
        first_row = int(np.searchsorted(steps, one.start_s // STEP_S))
        last_row = int(np.searchsorted(steps, last // STEP_S, side="right"))
        if first_row >= last_row:
            continue
        begins: FloatArray = steps[first_row:last_row, None] * np.float64(STEP_S)
        if effect.factor in _LEVELS:
            share = one.envelope(begins + STEP_S)[:, 0]
        else:
            share = one.envelope(begins + _OFFSETS).mean(axis=1)
        place: tuple[Any, ...] = (slice(first_row, last_row), *effect.where)
        part = total[effect.factor][place]
        part += (one.intensity * effect.size * share).reshape(-1, *(1,) * (part.ndim - 1))
    return total
