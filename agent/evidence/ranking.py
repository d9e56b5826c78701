"""Which component is the cause: own evidence, what its causes explain away, distance, logs, and `none`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agent.evidence.logs import TemplateShift, strongest_by_component
from agent.evidence.measured import Measured
from agent.evidence.oddness import own_score, series_scores
from agent.evidence.settings import EvidenceSettings
from agent.evidence.symptom import Echo, echo_scores, echoes
from domain.series import FloatArray
from domain.topology import Topology

SIGNIFICANT = 0.05
NOTABLE = 0.1
# Columns by which a cause may seem to change after its effect: change times are no surer than that.
LATER = 3
# A cause is rarely much fainter than its effect.
FAINTEST = 0.65


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
    confidence: float = 0.0


def rank_components(
    measured: Measured,
    topology: Topology,
    logs: Sequence[TemplateShift],
    settings: EvidenceSettings,
    changed: frozenset[str] = frozenset(),
) -> tuple[list[Ranked], float]:
    """Rank all components and return them, best first, with the confidence in `none of these`.

    What happens to a component in `changed` (one that was deployed or configured at the onset) has a reason
    of its own at hand: it counts for more, and its causes in the graph explain nothing of it away.
    """
    spoken = {name: _log_score(one, settings) for name, one in strongest_by_component(logs).items() if one.g}
    shared = echoes(measured)
    if shared is not None:
        ranked = _rank_by_echo(measured, topology, shared, spoken, settings)
    else:
        ranked = _rank_by_evidence(measured, topology, spoken, settings, changed)
    target = measured.target_component
    ranked.sort(key=lambda one: (-round(one.score, 9), one.component != target, one.component))
    known = shared is not None or bool(topology.edges)
    temperature = settings.temperature if known else settings.temperature_without_graph
    return _with_confidence(ranked, temperature, settings.none_score)


def _rank_by_echo(
    measured: Measured,
    topology: Topology,
    shared: Mapping[str, Echo],
    spoken: Mapping[str, float],
    settings: EvidenceSettings,
) -> list[Ranked]:
    scores = echo_scores(shared, topology, measured.target_component, settings)
    hops = topology.hops_to(measured.target_component) if measured.target_component else {}
    rows_of = _candidate_rows(measured, series_scores(measured, settings))
    out = []
    for name in sorted({*scores, *rows_of}):
        rows = list(rows_of.get(name, ()))
        if name in shared:
            rows = [shared[name].row, *(i for i in rows if i != shared[name].row)]
        said = spoken.get(name, 0.0)
        out.append(
            Ranked(
                name,
                tuple(rows),
                scores.get(name, 0.0),
                said,
                None,
                hops.get(name),
                scores.get(name, 0.0) + said,
            )
        )
    return [one for one in out if one.rows or one.logs]


def _rank_by_evidence(
    measured: Measured,
    topology: Topology,
    spoken: Mapping[str, float],
    settings: EvidenceSettings,
    changed: frozenset[str],
) -> list[Ranked]:
    series = series_scores(measured, settings)
    rows_of = _candidate_rows(measured, series)
    own = {name: own_score(rows, series, measured) for name, rows in rows_of.items()}
    spoken = _with_groups(spoken, own, topology)
    healthy = _healthy(rows_of, measured) if topology.edges else frozenset()
    spoken = {
        name: score * (settings.witness_weight if name in healthy else 1.0) for name, score in spoken.items()
    }
    total = {name: own.get(name, 0.0) + spoken.get(name, 0.0) for name in sorted({*own, *spoken})}
    hops = topology.hops_to(measured.target_component) if measured.target_component else {}
    found = _explaining_causes(topology, (own, total), rows_of, measured)
    causes = {name: cause for name, cause in found.items() if name not in changed}
    reach = _coverage(topology, rows_of, spoken, measured)
    taken = {
        name: settings.explain_away
        # Of one that is known from its logs alone nothing tells how far the cause reaches.
        * reach.get(cause, 1.0)
        * (min(own.get(name, 0.0), total[cause]) + spoken.get(name, 0.0))
        for name, cause in causes.items()
    }
    gained = {
        name: settings.change_weight
        for name in changed & set(rows_of)
        if measured.q[rows_of[name][0]] < SIGNIFICANT
    }
    for name, cause in causes.items():
        gained[cause] = max(gained.get(cause, 0.0), settings.credit * taken[name])
    return [
        Ranked(
            name,
            tuple(rows_of.get(name, ())),
            own.get(name, 0.0),
            spoken.get(name, 0.0),
            causes.get(name),
            hops.get(name),
            score * _damping(name, hops, topology, settings) - taken.get(name, 0.0) + gained.get(name, 0.0),
        )
        for name, score in total.items()
    ]


def _damping(name: str, hops: Mapping[str, int], topology: Topology, settings: EvidenceSettings) -> float:
    return settings.off_graph if topology.edges and name not in hops else 1.0


def _with_groups(
    spoken: Mapping[str, float], own: Mapping[str, float], topology: Topology
) -> dict[str, float]:
    """Give what a whole group logs (`strategy` for all `strategy:...`) to its oddest member.

    One process often logs for many components, under the name that they share before the colon.
    """
    placed = {edge.cause for edge in topology.edges} | {edge.effect for edge in topology.edges} | set(own)
    out = {name: score for name, score in spoken.items() if name in placed or not _members(name, own)}
    for name in sorted(set(spoken) - set(out)):
        member = max(_members(name, own), key=lambda one: (own[one], one))
        out[member] = max(out.get(member, 0.0), spoken[name])
    return out


def _members(group: str, own: Mapping[str, float]) -> list[str]:
    return [name for name in own if name.startswith(f"{group}:")]


def _candidate_rows(measured: Measured, series: FloatArray) -> dict[str, list[int]]:
    """Per component its candidate series, strongest first; components without one are left out."""
    found = {
        component: sorted((i for i in rows if measured.candidates[i]), key=lambda i: (-series[i], i))
        for component, rows in measured.rows_of().items()
    }
    return {component: rows for component, rows in found.items() if rows}


def _log_score(one: TemplateShift, settings: EvidenceSettings) -> float:
    return settings.log_weight * float(np.log1p(abs(one.g))) if one.q_value < settings.significance else 0.0


def _explaining_causes(
    topology: Topology,
    scores: tuple[Mapping[str, float], Mapping[str, float]],
    rows_of: Mapping[str, Sequence[int]],
    measured: Measured,
) -> dict[str, str]:
    """For each component its oddest direct cause that is anomalous and did not change clearly later.

    `scores` are those of the components' own series, and those with their logs.
    """
    own, total = scores
    out: dict[str, str] = {}
    for name, causes in topology.causes_of().items():
        if name not in total:
            continue
        latest = _change(name, rows_of, measured) + LATER
        odd = [
            cause
            for cause in causes
            if rows_of.get(cause)
            and own[cause] >= FAINTEST * own.get(name, 0.0)
            and measured.kinds[rows_of[cause][0]].family != "log"
            and measured.q[rows_of[cause][0]] < SIGNIFICANT
            and _change(cause, rows_of, measured) <= latest
        ]
        if odd:
            out[name] = max(odd, key=lambda cause: (total[cause], cause))
    return out


def _healthy(rows_of: Mapping[str, Sequence[int]], measured: Measured) -> frozenset[str]:
    """Components whose own measurements, other than of their logs, are all as always.

    What they write is testimony about others.
    """
    out = set()
    for name, rows in rows_of.items():
        own = [i for i in rows if measured.kinds[i].family != "log" and measured.shifts.tested[i]]
        if own and all(measured.q[i] >= NOTABLE for i in own):
            out.add(name)
    return frozenset(out)


def _coverage(
    topology: Topology,
    rows_of: Mapping[str, Sequence[int]],
    spoken: Mapping[str, float],
    measured: Measured,
) -> dict[str, float]:
    """The share of a child's trouble that each component may explain: all where half of its children are odd.

    A cause that leaves most of its children in peace is an unlikely cause of trouble in one of them.
    """
    effects: dict[str, list[bool]] = {}
    for edge in topology.edges:
        rows = rows_of.get(edge.effect)
        if rows:
            odd = bool(measured.q[rows[0]] < NOTABLE) or spoken.get(edge.effect, 0.0) > 0
            effects.setdefault(edge.cause, []).append(odd)
    return {cause: min(1.0, 2.0 * sum(odd) / len(odd)) for cause, odd in effects.items()}


def _change(name: str, rows_of: Mapping[str, Sequence[int]], measured: Measured) -> int:
    """The earliest change among a component's series that moved, its strongest one's where none did."""
    rows = rows_of.get(name)
    if not rows:
        return 0
    moved = [i for i in rows if measured.q[i] < SIGNIFICANT] or [rows[0]]
    return int(measured.shifts.change[moved].min())


def _with_confidence(
    ranked: list[Ranked], temperature: float, none_score: float
) -> tuple[list[Ranked], float]:
    """Softmax over the components and `none of these`."""
    scores = np.array([*(one.score for one in ranked), none_score]) / temperature
    weights = np.exp(scores - scores.max())
    shares = weights / weights.sum()
    return [replace(one, confidence=float(shares[i])) for i, one in enumerate(ranked)], float(shares[-1])
