"""Which anomalies belong together: close in time, and near each other in the cause graph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from agent.topology import component_of
from db.records import IncidentPlan
from domain.anomaly import Anomaly
from domain.errors import InvalidInput
from domain.incident import Incident, last_activity, lead_anomaly
from domain.series import SeriesKey
from domain.topology import Topology

# Everything flows into the desk, so a path through it says nothing.
HUBS = frozenset({"desk"})
MAX_HOPS = 3
# Later than this after its start, a new anomaly opens an incident of its own.
MAX_INCIDENT_SPAN = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Grouping:
    """Decides about new anomalies.

    Args:
        topology: the cause graph.
        max_gap: longest pause between two anomalies of one incident.
        step: width of a grid cell; without a graph only anomalies that start together belong together.
    """

    topology: Topology
    max_gap: timedelta
    step: timedelta

    def __call__(
        self, new: Sequence[Anomaly], known: Sequence[tuple[Incident, Sequence[Anomaly]]]
    ) -> Sequence[IncidentPlan]:
        """A plan for every new anomaly: into an open incident, or into a new one."""
        neighbours = _neighbours(self.topology)
        members: list[tuple[str | None, list[Anomaly], list[str]]] = [
            (incident.id, list(anomalies), []) for incident, anomalies in known
        ]
        for anomaly in sorted(new, key=lambda one: (one.timestamp, one.key)):
            home = next((group for group in members if self._belongs(anomaly, group[1], neighbours)), None)
            if home is None:
                home = (None, [], [])
                members.append(home)
            home[1].append(anomaly)
            home[2].append(anomaly.id)
        return [
            IncidentPlan(incident_id, tuple(ids), title_of(anomalies))
            for incident_id, anomalies, ids in members
            if ids
        ]

    def _belongs(
        self, anomaly: Anomaly, group: Sequence[Anomaly], neighbours: Mapping[str, frozenset[str]]
    ) -> bool:
        if not group:
            return False
        first = min(one.timestamp for one in group)
        if not first - self.max_gap <= anomaly.timestamp <= first + MAX_INCIDENT_SPAN:
            return False
        return any(self._related(anomaly, one, neighbours) for one in group)

    def _related(self, a: Anomaly, b: Anomaly, neighbours: Mapping[str, frozenset[str]]) -> bool:
        early, late = sorted((a, b), key=lambda one: one.timestamp)
        if late.timestamp - last_activity(early) > self.max_gap:
            return False
        mine, theirs = _component(a), _component(b)
        if mine == theirs or theirs in neighbours.get(mine, ()):
            return True
        if mine in neighbours and theirs in neighbours:
            return False
        return abs(a.timestamp - b.timestamp) <= 2 * self.step


def title_of(anomalies: Sequence[Anomaly]) -> str:
    """What an incident is called before its cause is known: what moved, and how many others with it."""
    lead = lead_anomaly(anomalies)
    name = lead.anomaly_type.replace("_", " ")
    others = len({one.affected_metrics[0] for one in anomalies}) - 1
    return f"{name}: {lead.affected_metrics[0]}" + (f" and {others} more" if others else "")


def _component(anomaly: Anomaly) -> str:
    try:
        return component_of(SeriesKey.parse(anomaly.affected_metrics[0]))
    except InvalidInput:
        return anomaly.affected_metrics[0]


def _neighbours(topology: Topology) -> dict[str, frozenset[str]]:
    """For each component of the graph, those at most MAX_HOPS edges away in either direction."""
    adjacent: dict[str, set[str]] = {}
    for edge in topology.edges:
        adjacent.setdefault(edge.cause, set()).add(edge.effect)
        adjacent.setdefault(edge.effect, set()).add(edge.cause)
    return {component: frozenset(_reach(component, adjacent)) for component in adjacent}


def _reach(component: str, adjacent: Mapping[str, set[str]]) -> set[str]:
    seen, front = {component}, {component}
    for _ in range(MAX_HOPS):
        passable = {one for one in front if one not in HUBS or one == component}
        front = {other for one in passable for other in adjacent[one]} - seen
        seen |= front
    return seen
