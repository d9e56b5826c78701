"""Where the money went: for each dimension its largest parts as a waterfall that ends at the total."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from api.dashboard import fmt
from domain.money import Impact

_WIDTH, _ROW = 480, 24
_MOST = 8


@dataclass(frozen=True, slots=True)
class Step:
    """`without` names the part as the counterfactual chart reads it; empty for rests and totals."""

    label: str
    amount: str
    without: str


@dataclass(frozen=True, slots=True)
class Waterfall:
    dimension: str
    steps: list[Step]
    svg: Markup


def waterfalls(impact: Impact | None) -> list[Waterfall]:
    """One per dimension of an impact, in the order in which the dimensions stand."""
    if impact is None:
        return []
    dimensions = dict.fromkeys(part.label for part in impact.by)
    return [_waterfall(impact, name) for name in dimensions]


def _waterfall(impact: Impact, dimension: str) -> Waterfall:
    parts = sorted(
        (part for part in impact.by if part.label == dimension), key=lambda part: -abs(part.amount)
    )
    rest = impact.amount - sum(part.amount for part in parts[:_MOST])
    steps = [
        Step(part.value, fmt.amount(part.amount, impact.unit), f"{dimension}:{part.value}")
        for part in parts[:_MOST]
    ]
    amounts = [part.amount for part in parts[:_MOST]]
    if abs(rest) >= 0.005:
        steps.append(Step("unexplained", fmt.amount(rest, impact.unit), ""))
        amounts.append(rest)
    if len(steps) > 1:
        steps.append(Step("total", fmt.amount(impact.amount, impact.unit), ""))
    return Waterfall(dimension, steps, _drawn(steps, amounts, impact.amount))


def _drawn(steps: Sequence[Step], amounts: Sequence[float], total: float) -> Markup:
    edges, at = [(0.0, 0.0)], 0.0
    for amount in amounts:
        edges.append((at, at + amount))
        at += amount
    edges = [*edges[1:], *([(0.0, total)] if len(steps) > 1 else [])]
    low, high = min(min(edge) for edge in edges), max(max(edge) for edge in edges)
    scale = (_WIDTH - 4) / ((high - low) or 1.0)
    bars = "".join(
        f'<rect class="{_kind(first, last)}" x="{2 + (min(first, last) - low) * scale:.1f}" '
        f'y="{i * _ROW + 4}" '
        f'width="{max(abs(last - first) * scale, 1.5):.1f}" height="{_ROW - 8}"/>'
        for i, (first, last) in enumerate(edges)
    )
    zero = 2 + (0 - low) * scale
    words = "; ".join(f"{step.label} {step.amount}" for step in steps)
    height = len(edges) * _ROW
    return Markup(  # noqa: S704 - names are escaped
        f'<svg class="waterfall" viewBox="0 0 {_WIDTH} {height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(words)}"><path class="grid" d="M{zero:.1f} 0V{height}"/>{bars}</svg>'
    )


def _kind(first: float, last: float) -> str:
    return "loss" if last < first else "gain"
