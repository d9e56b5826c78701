"""Which money series an incident concerns, and what its impact consists of."""

from collections.abc import Sequence

from agent.evidence.estimates import estimated_flows, of_strategies
from agent.evidence.factors import Part, parts_of_fills
from agent.evidence.measured import Measured
from agent.evidence.money import deviation, expectation_samples, impact_of
from agent.evidence.settings import EvidenceSettings
from agent.vocabulary import class_of
from domain.money import Impact, ImpactPart
from domain.series import FloatArray, Series

ESTIMATED = "factor (estimated)"
# A rest below this share of the whole is rounding.
NOTHING = 1e-4


def impact_of_case(
    measured: Measured,
    settings: EvidenceSettings,
    parts: Sequence[Part] = (),
    reached: frozenset[str] = frozenset(),
) -> tuple[Impact | None, list[str]]:
    """Impact on the targets that are money and on the PnL that the trouble can reach; and its series.

    Args:
        measured: the case as arrays.
        settings: of the interval.
        parts: recorded parts of PnL series.
        reached: components that the trouble can reach; where there are neither, all PnL counts.
    """
    rows, total = _rows_of_interest(measured, reached)
    series = [measured.window.series[i] for i in rows]
    columns = (measured.onset.column, measured.last)
    found = impact_of(series, measured.window.values[rows], columns, settings.impact_inflation, total)
    if found is not None:
        leaves = [one for i, one in enumerate(series) if i != total]
        found = _with_factors(found, _factors(measured, leaves, parts))
    return found, [one.name for one in series]


def _rows_of_interest(measured: Measured, reached: frozenset[str]) -> tuple[list[int], int | None]:
    """Rows of PnL, and the position of the one that is the total of the others, if one is."""
    targets = [i for i in measured.targets if measured.kinds[i].name == "pnl"]
    leaves = _leaves(measured)
    totals = [i for i in targets if _parts(measured, i, leaves)]
    if totals:
        return [totals[0], *_parts(measured, totals[0], leaves)], 0
    near = [i for i in leaves if measured.components[i] in reached and i not in targets]
    return [*targets, *near] or leaves, None


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


def _with_factors(impact: Impact, parts: Sequence[ImpactPart]) -> Impact:
    """The impact with its split by factor; what the factors leave of it is a part as well.

    An estimate that leaves more than it explains tells nothing and is left out.
    """
    if not parts:
        return impact
    rest = impact.amount - impact.unexplained - sum(part.amount for part in parts)
    told = sorted(parts, key=lambda part: (-abs(part.amount), part.value))
    if parts[0].label == ESTIMATED and abs(rest) > sum(abs(part.amount) for part in parts):
        return impact
    if abs(rest) > NOTHING * max(abs(impact.amount), *(abs(part.amount) for part in parts)):
        told.append(ImpactPart(label=parts[0].label, value="everything else", amount=rest))
    return impact.model_copy(update={"by": (*impact.by, *told)})


def _factors(measured: Measured, leaves: Sequence[Series], recorded: Sequence[Part]) -> list[ImpactPart]:
    """By factor: from recorded parts, else from fills, else by estimate; nothing where none of it is held."""
    labels = {one.key.labels for one in leaves}
    known = [part for part in recorded if part.labels in labels]
    known = known or list(parts_of_fills(measured.window, leaves))
    if known:
        return _summed(measured, "factor", [(part.factor, part.values) for part in known])
    names = of_strategies([one.key.label("strategy") for one in leaves])
    flows = estimated_flows(measured, names)
    return _summed(measured, ESTIMATED, [(name, one) for name, rows in flows.items() for one in rows])


def _summed(measured: Measured, label: str, flows: Sequence[tuple[str, FloatArray]]) -> list[ImpactPart]:
    samples = expectation_samples(measured.window.step_s)
    sums: dict[str, float] = {}
    for factor, values in flows:
        one = deviation(values, measured.onset.column, measured.last, samples)
        sums[factor] = sums.get(factor, 0.0) + one.amount
    return [ImpactPart(label=label, value=factor, amount=amount) for factor, amount in sums.items()]
