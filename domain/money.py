"""Money: amounts with a unit, and an impact whose parts add up to the observed change."""

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict


class ImpactPart(BaseModel):
    """One slice of an impact: `label` is the dimension (`strategy`, `venue`, `symbol`, `fees`, ...)."""

    model_config = ConfigDict(frozen=True)

    label: str
    value: str
    amount: float


class Impact(BaseModel):
    """Observed minus expected PnL over a window: negative is a loss.

    `low` and `high` bound the amount with 90 % confidence. The parts of one label plus
    `unexplained` add up to `amount`. `per_hour` is what it gained or lost per hour of late, None where that
    is not known: what it would go on to cost.
    """

    model_config = ConfigDict(frozen=True)

    amount: float
    low: float
    high: float
    unit: str = "USD"
    by: tuple[ImpactPart, ...] = ()
    unexplained: float = 0.0
    per_hour: float | None = None


def format_money(amount: float, unit: str = "USD") -> str:
    """Text such as `-$41,200` or `+1.25 BTC`, with a real minus sign left to the page."""
    size = abs(amount)
    sign = "" if size < 0.005 else "-" if amount < 0 else "+"
    digits = f"{size:,.0f}" if size >= 100 else f"{size:,.2f}"
    return f"{sign}${digits}" if unit in {"USD", "USDT", "USDC"} else f"{sign}{digits} {unit}"


def counted_once(impacts: Iterable[Impact], label: str = "strategy") -> Mapping[str, float]:
    """What several incidents that go on at the same time cost together, by unit.

    Each of them measures all that its strategies lost since it began, whatever the reason. A strategy that
    several of them concern is therefore counted once, with the largest of its amounts; what an impact does
    not split by `label` is added as it is.
    """
    return {unit: lost + gained for unit, (lost, gained) in losses_and_gains(impacts, label).items()}


def losses_and_gains(impacts: Iterable[Impact], label: str = "strategy") -> Mapping[str, tuple[float, float]]:
    """The losses (negative) and the gains in what `counted_once` adds up, by unit."""
    slices: dict[tuple[str, str], float] = {}
    rest: dict[str, float] = {}
    for one in impacts:
        parts = [part for part in one.by if part.label == label]
        for part in parts:
            key = (one.unit, part.value)
            slices[key] = max(slices.get(key, 0.0), part.amount, key=abs)
        rest[one.unit] = rest.get(one.unit, 0.0) + one.amount - sum(part.amount for part in parts)
    found = {}
    for unit, unsplit in rest.items():
        amounts = [unsplit, *(amount for (of, _), amount in slices.items() if of == unit)]
        found[unit] = (sum(min(one, 0.0) for one in amounts), sum(max(one, 0.0) for one in amounts))
    return found
