"""Which money series an incident concerns, and what its impact consists of."""

from collections.abc import Sequence

import numpy as np

from agent.evidence.measured import Measured
from agent.evidence.money import deviation, expectation_samples, impact_of
from agent.evidence.settings import EvidenceSettings
from agent.vocabulary import class_of
from domain.money import Impact, ImpactPart
from domain.series import FloatArray

BASIS_POINTS = 1e-4


def impact_of_case(measured: Measured, settings: EvidenceSettings) -> tuple[Impact | None, list[str]]:
    """Impact on the targets where they are money, else on all PnL of the window; with the series used."""
    rows, total = _rows_of_interest(measured)
    series = [measured.window.series[i] for i in rows]
    columns = (measured.onset.column, measured.last)
    found = impact_of(series, measured.window.values[rows], columns, settings.impact_inflation, total)
    if found is not None:
        found = _with_factors(found, measured, rows)
    return found, [one.name for one in series]


def _rows_of_interest(measured: Measured) -> tuple[list[int], int | None]:
    """Rows of PnL, and the position of the one that is the total of the others, if one is."""
    targets = [i for i in measured.targets if measured.kinds[i].name == "pnl"]
    leaves = _leaves(measured)
    totals = [i for i in targets if _parts(measured, i, leaves)]
    if totals:
        return [totals[0], *_parts(measured, totals[0], leaves)], 0
    return (targets, None) if targets else (leaves, None)


def _leaves(measured: Measured) -> list[int]:
    """PnL series that are not the total of others."""
    money = [i for i in range(len(measured.kinds)) if measured.kinds[i].name == "pnl"]
    return [i for i in money if not _parts(measured, i, money)]


def _parts(measured: Measured, total: int, among: Sequence[int]) -> list[int]:
    """Series with all labels of a total and more; those of all components where the total is the desk's."""
    labels = set(measured.window.series[total].key.labels)
    desk = class_of(measured.components[total]) == "desk"
    return [
        i
        for i in among
        if i != total
        and (labels < set(measured.window.series[i].key.labels) or (desk and not _is_desk(measured, i)))
    ]


def _is_desk(measured: Measured, row: int) -> bool:
    return class_of(measured.components[row]) == "desk"


def _with_factors(impact: Impact, measured: Measured, rows: Sequence[int]) -> Impact:
    """Split the impact by price move, fees and funding where series tell them; the rest is a part as well."""
    names = {measured.window.series[i].key.label("strategy") for i in rows} - {None}
    parts = {
        "fees": -_paid(measured, "fees_paid", names),
        "funding": -_paid(measured, "funding_paid", names),
        "price move": _price_move(measured, names),
    }
    told = {name: amount for name, amount in parts.items() if amount}
    if not names or not told:
        return impact
    rest = impact.amount - impact.unexplained - sum(told.values())
    by = [ImpactPart(label="factor", value=name, amount=amount) for name, amount in told.items()]
    by.append(ImpactPart(label="factor", value="everything else", amount=rest))
    return impact.model_copy(update={"by": (*impact.by, *by)})


def _paid(measured: Measured, kind: str, strategies: set[str | None]) -> float:
    rows = [
        i
        for i, one in enumerate(measured.window.series)
        if measured.kinds[i].name == kind and one.key.label("strategy") in strategies
    ]
    return sum(_extra(measured, measured.window.values[i]) for i in rows)


def _price_move(measured: Measured, strategies: set[str | None]) -> float:
    """What the inventories gained from price moves beyond what they usually do."""
    window = measured.window
    total = 0.0
    for i, one in enumerate(window.series):
        symbol = one.key.label("symbol")
        if measured.kinds[i].name != "inventory" or one.key.label("strategy") not in strategies or not symbol:
            continue
        moves = _returns(measured, symbol)
        if moves is not None and one.unit in {"", "USD"}:
            gains = np.full(window.n_steps, np.nan)
            gains[1:] = window.values[i, :-1] * moves[1:] * BASIS_POINTS
            total += _extra(measured, gains)
    return total


def _returns(measured: Measured, symbol: str) -> FloatArray | None:
    """Mean return of a symbol over venues per column, in basis points."""
    rows = [
        i
        for i, one in enumerate(measured.window.series)
        if measured.kinds[i].name == "return" and one.key.label("symbol") == symbol
    ]
    if not rows or not measured.window.series[rows[0]].key.metric.endswith("bps"):
        return None
    values = measured.window.values[rows]
    count = np.isfinite(values).sum(axis=0)
    mean: FloatArray = np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)
    return mean


def _extra(measured: Measured, flows: FloatArray) -> float:
    samples = expectation_samples(measured.window.step_s)
    return deviation(flows, measured.onset.column, measured.last, samples).amount
