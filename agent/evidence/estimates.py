"""What a PnL may consist of where its parts were not recorded: fees, funding, price moves, slippage."""

from collections.abc import Sequence

import numpy as np

from agent.evidence.measured import Measured
from domain.series import FloatArray

BASIS_POINTS = 1e-4


def estimated_flows(measured: Measured, strategies: frozenset[str]) -> dict[str, list[FloatArray]]:
    """Per factor, gains per column of the strategies concerned, as far as series let them be estimated."""
    found = {
        "fees": _negated(measured, "fees_paid", strategies),
        "funding": _negated(measured, "funding_paid", strategies),
        "price move": _price_moves(measured, strategies),
        "slippage": _slippage(measured, strategies),
    }
    return {factor: rows for factor, rows in found.items() if rows}


def _of(measured: Measured, kind: str, strategies: frozenset[str]) -> list[int]:
    return [
        i
        for i, one in enumerate(measured.window.series)
        if measured.kinds[i].name == kind and one.key.label("strategy") in strategies
    ]


def _negated(measured: Measured, kind: str, strategies: frozenset[str]) -> list[FloatArray]:
    return [-measured.window.values[i] for i in _of(measured, kind, strategies)]


def _price_moves(measured: Measured, strategies: frozenset[str]) -> list[FloatArray]:
    """What the inventories held at the end of the column before gained from the price's move."""
    window, out = measured.window, []
    for i in _of(measured, "inventory", strategies):
        symbol = window.series[i].key.label("symbol")
        moves = _returns(measured, symbol) if symbol else None
        if moves is not None and window.series[i].unit in {"", "USD"}:
            gains = np.full(window.n_steps, np.nan)
            gains[1:] = window.values[i, :-1] * moves[1:] * BASIS_POINTS
            out.append(gains)
    return out


def _returns(measured: Measured, symbol: str) -> FloatArray | None:
    """Mean return of a symbol over venues per column, in basis points."""
    rows = [
        i
        for i, one in enumerate(measured.window.series)
        if measured.kinds[i].name == "return" and one.key.label("symbol") == symbol
    ]
    if not rows or not measured.window.series[rows[0]].key.metric.endswith("bps"):
        return None
    return _mean(measured.window.values[rows])


def _slippage(measured: Measured, strategies: frozenset[str]) -> list[FloatArray]:
    """Minus slippage times what was traded: orders, times the share that filled, times their mean size."""
    window, out = measured.window, []
    for i in _of(measured, "slippage", strategies):
        labels = dict(window.series[i].key.labels)
        if not window.series[i].key.metric.endswith("bps"):
            continue
        strategy, venue = labels["strategy"], labels.get("venue")
        traded = [_one(measured, kind, strategy, venue) for kind in ("orders", "fill_ratio")]
        size = _size(measured, strategy)
        if traded[0] is not None and traded[1] is not None and size is not None:
            out.append(-traded[0] * traded[1] * size * window.values[i] * BASIS_POINTS)
    return out


def _one(measured: Measured, kind: str, strategy: str, venue: str | None) -> FloatArray | None:
    for i in _of(measured, kind, frozenset({strategy})):
        if measured.window.series[i].key.label("venue") == venue:
            row: FloatArray = measured.window.values[i]
            return row
    return None


def _size(measured: Measured, strategy: str) -> FloatArray | None:
    """Mean size of an order in money; None where it is in units of something else."""
    rows = _of(measured, "order_size", frozenset({strategy}))
    known = [i for i in rows if measured.window.series[i].unit == "USD"]
    return _mean(measured.window.values[known]) if known else None


def _mean(values: FloatArray) -> FloatArray:
    """Column means; NaN where nothing is known."""
    count = np.isfinite(values).sum(axis=0)
    mean: FloatArray = np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)
    return mean


def of_strategies(names: Sequence[str | None]) -> frozenset[str]:
    """The strategies among labels."""
    return frozenset(name for name in names if name)
