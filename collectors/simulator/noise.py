"""All randomness of the simulated desk, as a function of the seed and the calendar alone."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from collectors.simulator.layout import BOOKS, CELLS, HEDGERS, LINKS, STEPS_PER_DAY
from domain.series import FloatArray

Shape = tuple[int, ...]

# Autoregressive channels with unit variance: name -> (shape, persistence per step).
PERSISTENT: Final[dict[str, tuple[Shape, float]]] = {
    "volatility": ((1,), 0.992),
    "symbol_volatility": ((3,), 0.97),
    "basis": ((3, 3), 0.90),
    "volume": ((3, 3), 0.85),
    "spread": ((3, 3), 0.80),
    "depth": ((3, 3), 0.90),
    "funding": ((3, 3), 0.985),
    "funding_symbol": ((3,), 0.997),
    "correlation": ((3,), 0.80),
    "feed": ((3,), 0.80),
    "ack": ((3,), 0.85),
    "reject": ((3,), 0.75),
    "activity": ((len(LINKS),), 0.85),
    "fill": ((len(LINKS),), 0.70),
    "size": ((len(BOOKS),), 0.60),
    "edge": ((len(CELLS),), 0.60),
    "cpu": ((3,), 0.85),
    "memory": ((3,), 0.99),
    "database": ((3,), 0.85),
    "risk": ((1,), 0.80),
}
WHITE: Final[dict[str, Shape]] = {
    "realized": (3, 3),
    "volume": (3, 3),
    "spread": (3, 3),
    "depth": (3, 3),
    "funding": (3, 3),
    "correlation": (3,),
    "age": (3,),
    "messages": (3,),
    "queue": (3,),
    "reject": (3,),
    "activity": (len(LINKS),),
    "fill": (len(LINKS),),
    "size": (len(BOOKS),),
    "flow": (len(BOOKS),),
    "cell": (len(CELLS),),
    "hedge": (len(HEDGERS),),
    "signal": (3,),
    "cpu": (3,),
    "network": (3,),
    "disk": (3,),
    "database": (3,),
}
# Heavy-tailed channels (Student t, 5 degrees of freedom, unit variance).
HEAVY: Final[dict[str, Shape]] = {
    "factor": (1,),
    "symbol": (3,),
    "ack": (3,),
    "feed": (3,),
    "slippage": (len(LINKS),),
    "gc": (3,),
    "risk": (1,),
}
_DEGREES: Final = 5.0
_LARGEST: Final = 9.0


@dataclass(frozen=True, slots=True)
class Draws:
    """Random numbers of consecutive steps; every array has shape (n_steps, *shape of its channel)."""

    persistent: dict[str, FloatArray]
    white: dict[str, FloatArray]
    heavy: dict[str, FloatArray]


def _split(flat: FloatArray, shapes: dict[str, Shape]) -> dict[str, FloatArray]:
    parts: dict[str, FloatArray] = {}
    at = 0
    for name, shape in shapes.items():
        width = int(np.prod(shape))
        parts[name] = flat[:, at : at + width].reshape(len(flat), *shape)
        at += width
    return parts


class Noise:
    """Draws of consecutive steps; a step's innovations depend on the seed and its place in the calendar."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._shapes = {name: shape for name, (shape, _) in PERSISTENT.items()}
        widths = [int(np.prod(shape)) for shape in self._shapes.values()]
        self._phi = np.repeat([phi for _, phi in PERSISTENT.values()], widths)
        self._scale = np.sqrt(1 - self._phi**2)
        self._state: FloatArray = np.random.default_rng([seed, 1]).standard_normal(sum(widths))
        self._n_white = sum(int(np.prod(shape)) for shape in WHITE.values())
        self._n_heavy = sum(int(np.prod(shape)) for shape in HEAVY.values())
        self._days: dict[int, tuple[FloatArray, FloatArray]] = {}

    def take(self, first_step: int, n: int) -> Draws:
        """Draws of steps [first_step, first_step + n); to be asked for in the order of time, without gaps."""
        days = range(first_step // STEPS_PER_DAY, (first_step + n - 1) // STEPS_PER_DAY + 1)
        self._days = {day: self._days.get(day) or self._draw(day) for day in days}
        at = first_step - days[0] * STEPS_PER_DAY
        normal = np.concatenate([self._days[day][0] for day in days])[at : at + n]
        heavy = np.concatenate([self._days[day][1] for day in days])[at : at + n]
        width = len(self._phi)
        persistent = self._filter(normal[:, :width])
        return Draws(_split(persistent, self._shapes), _split(normal[:, width:], WHITE), _split(heavy, HEAVY))

    def _draw(self, day: int) -> tuple[FloatArray, FloatArray]:
        generator = np.random.default_rng([self._seed, 2, day])
        normal = generator.standard_normal((STEPS_PER_DAY, len(self._phi) + self._n_white))
        heavy = generator.standard_t(_DEGREES, (STEPS_PER_DAY, self._n_heavy))
        return normal, np.clip(heavy / np.sqrt(_DEGREES / (_DEGREES - 2)), -_LARGEST, _LARGEST)

    def _filter(self, innovations: FloatArray) -> FloatArray:
        out: FloatArray = innovations * self._scale
        state = self._state
        for t in range(len(out)):
            out[t] += self._phi * state
            state = out[t]
        self._state = state.copy()
        return out
