"""Which component is the cause: own evidence, what its causes explain away, distance, logs, and `none`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agent.evidence.logs import TemplateShift, strongest_by_component
from agent.evidence.measured import Measured
from agent.evidence.settings import EvidenceSettings
from domain.series import FloatArray
from domain.topology import Topology


@dataclass(frozen=True, slots=True)
class Ranked:
    """One component with the parts of its score; `rows` are its candidate series, strongest first."""

    component: str
    rows: tuple[int, ...]
    own: float
    logs: float
    explained_by: str | None
    hops: int | None
    score: float
    confidence: float


def rank_components(
    measured: Measured, topology: Topology, logs: Sequence[TemplateShift], settings: EvidenceSettings
) -> tuple[list[Ranked], float]:
    """Rank all components and return them, best first, with the confidence in `none of these`."""
    series = series_scores(measured, settings)
    rows_of = {
        component: sorted((i for i in rows if measured.candidates[i]), key=lambda i: (-series[i], i))
        for component, rows in measured.rows_of().items()
    }
    own = {component: _own(rows, series, measured) for component, rows in rows_of.items() if rows}
    spoken = {name: _log_score(one, settings) for name, one in strongest_by_component(logs).items()}
    total = {name: value + spoken.get(name, 0.0) for name, value in own.items()}
    hops = topology.hops_to(measured.target_component) if measured.target_component else {}
    parents = topology.causes_of()
    ranked = []
    for name, score in total.items():
        parent = _explaining_parent(name, parents, total, rows_of, measured)
        damping = settings.off_graph if topology.edges and name not in hops else 1.0
        explained = settings.explain_away * min(score, total[parent]) if parent is not None else 0.0
        ranked.append(
            Ranked(
                name,
                tuple(rows_of[name]),
                own[name],
                spoken.get(name, 0.0),
                parent,
                hops.get(name),
                score * damping - explained,
                0.0,
            )
        )
    ranked.sort(key=lambda one: (-one.score, one.component))
    return _with_confidence(ranked, settings)


def series_scores(measured: Measured, settings: EvidenceSettings) -> FloatArray:
    """How odd each series is: size, peak, separation and closeness of its change to the onset."""
    shifts = measured.shifts
    size = np.log1p(np.minimum(np.abs(shifts.z), settings.max_z))
    size = np.where(shifts.silent | shifts.frozen, np.maximum(size, np.log1p(20.0)), size)
    peak = 0.15 * np.log1p(shifts.peak)
    separation = np.abs(2 * shifts.auc - 1)
    closeness = 0.6 * np.exp(-np.abs(shifts.change) / 6)
    scores: FloatArray = np.where(shifts.tested, size + peak + separation + closeness, 0.0)
    return scores


def _own(rows: Sequence[int], series: FloatArray, measured: Measured) -> float:
    """The best series, and 0.3 of the best one of another kind where that is notable too."""
    best = rows[0]
    second = next(
        (i for i in rows[1:] if measured.kinds[i] is not measured.kinds[best] and measured.q[i] < 0.1), None
    )
    return float(series[best] + (0.3 * series[second] if second is not None else 0.0))


def _log_score(one: TemplateShift, settings: EvidenceSettings) -> float:
    return settings.log_weight * float(np.log1p(abs(one.g))) if one.q_value < settings.significance else 0.0


def _explaining_parent(
    name: str,
    parents: Mapping[str, Sequence[str]],
    total: Mapping[str, float],
    rows_of: Mapping[str, Sequence[int]],
    measured: Measured,
) -> str | None:
    """The oddest direct cause that is anomalous itself and did not change clearly later."""
    mine = _change(name, rows_of, measured)
    odd = [
        parent
        for parent in parents.get(name, ())
        if rows_of.get(parent)
        and measured.q[rows_of[parent][0]] < 0.1
        and _change(parent, rows_of, measured) <= mine + 3
    ]
    return max(odd, key=lambda parent: (total[parent], parent), default=None)


def _change(name: str, rows_of: Mapping[str, Sequence[int]], measured: Measured) -> int:
    return int(measured.shifts.change[rows_of[name][0]])


def _with_confidence(ranked: list[Ranked], settings: EvidenceSettings) -> tuple[list[Ranked], float]:
    """Softmax over the components and `none of these`."""
    scores = np.array([*(one.score for one in ranked), settings.none_score]) / settings.temperature
    weights = np.exp(scores - scores.max())
    shares = weights / weights.sum()
    out = [
        Ranked(
            one.component,
            one.rows,
            one.own,
            one.logs,
            one.explained_by,
            one.hops,
            one.score,
            float(shares[i]),
        )
        for i, one in enumerate(ranked)
    ]
    return out, float(shares[-1])
