"""Simulated tables of a trading desk with labelled anomalies of eight kinds, for measuring detection."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from domain.series import FloatArray, IntArray

KINDS = (
    "spike",
    "level",
    "drift",
    "variance",
    "flat_line",
    "dropout",
    "broken_season",
    "weak_joint",
)
DAY = 288
START_MICROS = 1_735_689_600_000_000
STEP_MICROS = 300_000_000
GAP_ROWS = 100


@dataclass(frozen=True, slots=True)
class DeskEvent:
    """A labelled anomaly: rows first to last inclusive, on some columns."""

    kind: str
    first: int
    last: int
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DeskTable:
    """A simulated table.

    Args:
        names: column names.
        timestamps: shape (n_rows,), microseconds, five minutes apart.
        values: shape (n_rows, n_columns).
        events: labelled anomalies, in order.
        probation: rows before it are clean.
    """

    names: tuple[str, ...]
    timestamps: IntArray
    values: FloatArray
    events: tuple[DeskEvent, ...]
    probation: int


def simulate_desk(seed: int, days: int = 20, probation_days: int = 6) -> DeskTable:
    """Draw one table of six columns with about one anomaly every day and a half after the clean days.

    Args:
        seed: everything follows from it.
        days: length.
        probation_days: clean days at the start.
    """
    rng = np.random.default_rng(seed)
    n = days * DAY
    factor = _ar(rng, n, 0.9)
    makers: tuple[tuple[str, Callable[[], FloatArray]], ...] = (
        ("pnl", lambda: 20 + 100 * rng.standard_t(4, n)),
        ("volume_usd", lambda: np.exp(12 + 0.8 * _day(n, 0.3) + 0.25 * factor + 0.3 * rng.normal(size=n))),
        ("order_ack_latency_ms", lambda: 8 + 2 * _day(n, 0.6) + rng.gamma(2.0, 1.0, n)),
        ("spread_bps", lambda: 3 + 0.8 * _ar(rng, n, 0.8) * 0.3 + 0.2 * factor + 0.1 * rng.normal(size=n)),
        ("cpu_percent", lambda: 40 + 15 * _day(n, 0.1) + 3 * factor + 2 * rng.normal(size=n)),
        ("inventory_usd", lambda: 1e5 * _ar(rng, n, 0.98) / 5),
    )
    values = np.stack([make() for _, make in makers], axis=1)
    scale = _local_noise(values)
    events = _place(rng, n, probation_days * DAY, values.shape[1])
    for event in events:
        _disturb(rng, values, scale, event)
    timestamps = START_MICROS + STEP_MICROS * np.arange(n, dtype=np.int64)
    return DeskTable(
        tuple(name for name, _ in makers), timestamps, values, tuple(events), probation_days * DAY
    )


def _day(n: int, phase: float) -> FloatArray:
    """A daily pattern with a weaker weekend."""
    t = np.arange(n)
    weekend = (t // DAY) % 7 >= 5
    wave: FloatArray = np.sin(2 * np.pi * (t / DAY + phase)) + 0.4 * np.sin(4 * np.pi * (t / DAY + phase))
    return wave * np.where(weekend, 0.6, 1.0)


def _ar(rng: np.random.Generator, n: int, coefficient: float) -> FloatArray:
    from scipy.signal import lfilter  # noqa: PLC0415  # slow to import

    noise = rng.normal(size=n + 200) * np.sqrt(1 - coefficient**2)
    return np.asarray(lfilter([1.0], [1.0, -coefficient], noise)[200:], dtype=np.float64)


def _local_noise(values: FloatArray) -> FloatArray:
    """Robust standard deviation of each column around its own mean of two hours."""
    kernel = np.ones(25) / 25
    smooth = np.stack([np.convolve(column, kernel, mode="same") for column in values.T], axis=1)
    return np.asarray(1.4826 * np.median(np.abs(values - smooth), axis=0), dtype=np.float64)


def _place(rng: np.random.Generator, n: int, probation: int, n_columns: int) -> list[DeskEvent]:
    events: list[DeskEvent] = []
    row = probation + int(rng.integers(50, 300))
    kinds: list[str] = []
    while True:
        kinds = kinds or list(rng.permutation(KINDS))
        kind = kinds.pop()
        length = {"spike": rng.integers(1, 4), "dropout": rng.integers(4, 30)}.get(kind, rng.integers(20, 90))
        if row + length + 50 > n:
            return events
        count = int(rng.integers(3, 5)) if kind == "weak_joint" else int(rng.integers(1, 3))
        candidates = [1, 2, 4] if kind == "broken_season" else range(n_columns)
        chosen = rng.choice(list(candidates), size=min(count, len(list(candidates))), replace=False)
        events.append(DeskEvent(kind, row, row + int(length) - 1, tuple(int(one) for one in sorted(chosen))))
        row += int(length) + GAP_ROWS + int(rng.exponential(250))


def _disturb(rng: np.random.Generator, values: FloatArray, scale: FloatArray, event: DeskEvent) -> None:
    rows = slice(event.first, event.last + 1)
    length = event.last + 1 - event.first
    for column in event.columns:
        x, sd = values[rows, column], scale[column]
        sign = rng.choice([-1.0, 1.0])
        size = rng.uniform(4.0, 9.0)
        values[rows, column] = _disturbed(event.kind, x, (sign, size, sd), rng, length)
        if event.kind == "broken_season":
            values[rows, column] = values[event.first - DAY // 2 - length : event.first - DAY // 2, column]


def _disturbed(
    kind: str, x: FloatArray, how: tuple[float, float, float], rng: np.random.Generator, length: int
) -> FloatArray:
    sign, size, sd = how
    changes: dict[str, Callable[[], FloatArray]] = {
        "spike": lambda: x + sign * 1.5 * size * sd,
        "level": lambda: x + sign * 0.7 * size * sd,
        "drift": lambda: x + sign * size * sd * np.linspace(0.0, 1.0, length),
        "variance": lambda: x + rng.normal(size=length) * 0.5 * size * sd,
        "flat_line": lambda: np.full(length, x[0]),
        "dropout": lambda: np.zeros(length),
        "weak_joint": lambda: x + sign * 0.4 * size * sd,
    }
    return changes[kind]() if kind in changes else x
