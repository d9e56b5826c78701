"""Where one symptom is measured everywhere, the cause is where it shows in step with the target.

Services of one call graph often report the same few metrics. Then size says little (a rarely used service
has wild latencies), while the shape over time says much: the component at fault, and all on the way from it
to the target, rise and fall with the target. Among those the one that accounts for most others comes first.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agent.evidence.measured import Measured
from agent.evidence.settings import EvidenceSettings
from domain.series import FloatArray
from domain.topology import Topology

SHORTEST = 18
# A call graph, not a handful of services: among few, all run in step and the shape tells nothing.
FEWEST = 6
IN_STEP = 0.4


@dataclass(frozen=True, slots=True)
class Echo:
    """How much one component's symptom runs with the target's: the row, and the signed correlation."""

    row: int
    correlation: float


def echoes(measured: Measured) -> Mapping[str, Echo] | None:
    """Correlations with the target where most components report the target's own metric, else None."""
    if not measured.targets or measured.outcomes[measured.targets[0]]:
        return None
    target = measured.targets[0]
    metric = measured.window.series[target].key.metric
    others = {component for component in measured.components if component != measured.target_component}
    rows = [
        i
        for i, one in enumerate(measured.window.series)
        if one.key.metric == metric and measured.candidates[i] and i not in measured.targets
    ]
    if len(rows) < FEWEST or 2 * len({measured.components[i] for i in rows}) < len(others):
        return None
    first = max(measured.last - max(SHORTEST, 3 * (measured.last - measured.onset.column)), 0)
    values = measured.window.values[:, first : measured.last]
    found: dict[str, Echo] = {}
    for i in rows:
        one = Echo(i, correlation(values[target], values[i]))
        held = found.get(measured.components[i])
        if held is None or one.correlation > held.correlation:
            found[measured.components[i]] = one
    return found


def correlation(first: FloatArray, second: FloatArray) -> float:
    """Pearson correlation over common samples; 0 where there are fewer than 6 or one does not move."""
    both = np.isfinite(first) & np.isfinite(second)
    x, y = first[both], second[both]
    if len(x) < 6:
        return 0.0
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x**2).sum() * (y**2).sum()))
    return float((x * y).sum()) / scale if scale > 0 else 0.0


def echo_scores(
    found: Mapping[str, Echo], topology: Topology, target: str | None, settings: EvidenceSettings
) -> Mapping[str, float]:
    """Score per component: correlation, damped without a path to the target, plus what it accounts for.

    The target's own component stands in for a cause inside it: it wins where nothing else runs in step.
    """
    hops = topology.hops_to(target) if target else {}
    below = _descendants(topology)
    total = sum(one.correlation for one in found.values() if one.correlation > IN_STEP)
    scores: dict[str, float] = {}
    for name, one in found.items():
        score = settings.echo_weight * one.correlation
        if topology.edges and name not in hops and score > 0:
            score *= settings.off_graph
        if one.correlation > IN_STEP:
            share = _accounted(name, found, below.get(name, frozenset())) / total
            score += settings.accounted_weight * share
        scores[name] = score
    if target is not None:
        scores[target] = settings.echo_weight * 0.5
    return scores


def _accounted(name: str, found: Mapping[str, Echo], below: frozenset[str]) -> float:
    return sum(
        one.correlation
        for other, one in found.items()
        if other != name and other in below and one.correlation > IN_STEP
    )


def _descendants(topology: Topology) -> Mapping[str, frozenset[str]]:
    """For each component all that lie behind it."""
    effects: dict[str, list[str]] = {}
    for edge in topology.edges:
        effects.setdefault(edge.cause, []).append(edge.effect)
    out: dict[str, frozenset[str]] = {}
    for start in effects:
        seen: set[str] = set()
        front = [start]
        while front:
            front = [one for cause in front for one in effects.get(cause, ()) if one not in seen]
            seen.update(front)
        out[start] = frozenset(seen)
    return out
