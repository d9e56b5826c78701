"""Which anomalies belong together: close in time, and near each other in the cause graph."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Self

from agent.topology import component_of
from db.records import IncidentPlan
from domain.anomaly import Anomaly, severity_rank
from domain.errors import InvalidInput
from domain.incident import CORE, Incident, core_anomalies, lead_anomaly, start_of
from domain.series import SeriesKey
from domain.topology import Topology

# Everything flows into the desk, so a path through it says nothing.
HUBS = frozenset({"desk"})
MAX_HOPS = 3
# Later than this after its start, a new anomaly opens an incident of its own.
MAX_INCIDENT_SPAN = timedelta(hours=3)
SMEARED = frozenset({"pca", "changepoint"})


class _Group:
    """An incident in the making.

    When everything moves at once, thousands of anomalies differ in nothing that matters here: one of each
    kind stands for all of them.
    """

    def __init__(self, incident_id: str | None, anomalies: Sequence[Anomaly] = ()) -> None:
        self.incident_id = incident_id
        self.anomalies: list[Anomaly] = []
        self.new: list[str] = []
        self._kinds: dict[Hashable, Anomaly] = {}
        self._moments: dict[Hashable, Anomaly] = {}
        for one in anomalies:
            self.take(one)

    def take(self, anomaly: Anomaly) -> None:
        self.anomalies.append(anomaly)
        self._kinds.setdefault(_kind(anomaly), anomaly)
        self._moments.setdefault(_moment(anomaly), anomaly)

    def is_weak(self) -> bool:
        return all(is_weak(one) for one in self._moments.values())

    def start(self, near: Callable[[Anomaly], bool] = lambda _: True) -> datetime | None:
        """When its trouble began, of those of its core that are near; None where none is."""
        core = [one for one in core_anomalies(list(self._moments.values())) if near(one)]
        return start_of(core) if core else None

    def core(self) -> Iterator[Anomaly]:
        """One of each kind of its core."""
        weak = self.is_weak()
        return (one for one in self._kinds.values() if weak or not is_weak(one))


def _moment(anomaly: Anomaly) -> Hashable:
    """What tells when the trouble of a group begins."""
    return (anomaly.timestamp, anomaly.ended_at, anomaly.severity, anomaly.method in SMEARED)


def _kind(anomaly: Anomaly) -> Hashable:
    """All that grouping looks at."""
    return (_components(anomaly), _moment(anomaly))


@dataclass(frozen=True, slots=True)
class Grouping:
    """Decides about new anomalies.

    What begins together belongs together where the cause graph can tie it. What comes late can only be an
    effect: it joins where the trouble is or downstream of it, while that lasts. Weak anomalies join but tie
    nothing together, so that a chain of chance finds does not swallow a real incident. Once the cause of an
    incident was found, what comes late joins only where that cause can reach.

    Args:
        topology: the cause graph.
        max_gap: longest pause between two anomalies of one incident.
        step: width of a grid cell; without a graph only anomalies that start together belong together.
        causes: the component found to be the cause, by incident id.
    """

    topology: Topology
    max_gap: timedelta
    step: timedelta
    causes: Mapping[str, str] = field(default_factory=dict)

    def __call__(
        self, new: Sequence[Anomaly], known: Sequence[tuple[Incident, Sequence[Anomaly]]]
    ) -> Sequence[IncidentPlan]:
        """A plan for every new anomaly: into the open incident that is nearest in time, or into a new one."""
        reach = Reach.of(self.topology)
        groups = [_Group(incident.id, anomalies) for incident, anomalies in known]
        homes: dict[Hashable, _Group] = {}
        # The strong ones first: they decide what the incidents are.
        for anomaly in sorted(new, key=lambda one: (is_weak(one), one.timestamp, one.key)):
            # The next of a kind belongs where the last one went.
            home = homes.get(_kind(anomaly)) or self._home(anomaly, groups, reach)
            if home is None:
                home = _Group(None)
                groups.append(home)
            home.take(anomaly)
            home.new.append(anomaly.id)
            homes[_kind(anomaly)] = home
        return [
            IncidentPlan(group.incident_id, tuple(group.new), title_of(group.anomalies))
            for group in groups
            if group.new
        ]

    def _home(self, anomaly: Anomaly, groups: Sequence[_Group], reach: "Reach") -> _Group | None:
        fitting = [
            (group.is_weak(), pause, place)
            for place, group in enumerate(groups)
            if self._can_be_reached(anomaly, group, reach)
            and (pause := self._pause(anomaly, group, reach)) is not None
        ]
        # An incident before a chain of weak finds, then the nearest.
        return groups[min(fitting)[2]] if fitting else None

    def _can_be_reached(self, anomaly: Anomaly, group: _Group, reach: "Reach") -> bool:
        """Whether a late anomaly can be an effect of the cause that was found."""
        cause = self.causes.get(group.incident_id or "")
        start = group.start()
        if cause is None or cause not in reach.near or start is None:
            return True
        late = anomaly.timestamp - start > self.max_gap
        return not late or not reach.below[cause].isdisjoint(_components(anomaly))

    def _pause(self, anomaly: Anomaly, group: _Group, reach: "Reach") -> timedelta | None:
        """Time from the nearest onset of a group to this one; None where it does not belong."""

        def near(one: Anomaly) -> bool:
            return not apart or abs(one.timestamp - anomaly.timestamp) <= 2 * self.step

        apart = group.is_weak() and not is_weak(anomaly)
        first = group.start(near)
        if first is None:
            return None
        shortest: timedelta | None = None
        for one in group.core():
            pause = abs(anomaly.timestamp - one.timestamp)
            nearer = shortest is None or pause < shortest
            if nearer and near(one) and self._related(anomaly, one, first, reach):
                shortest = pause
                if not pause:
                    break
        return shortest

    def _related(self, anomaly: Anomaly, one: Anomaly, first: datetime, reach: "Reach") -> bool:
        if not first - self.max_gap <= anomaly.timestamp <= first + MAX_INCIDENT_SPAN:
            return False
        if anomaly.timestamp - _active_until(one, anomaly) > self.max_gap:
            return False
        early = anomaly.timestamp - first <= self.max_gap
        together = abs(anomaly.timestamp - one.timestamp) <= 2 * self.step
        return any(
            reach.ties(theirs, mine, early=early, together=together)
            for mine in _components(anomaly)
            for theirs in _components(one)
        )


def is_weak(anomaly: Anomaly) -> bool:
    """Below the severity that makes an incident."""
    return severity_rank(anomaly.severity) < CORE


def _active_until(one: Anomaly, other: Anomaly) -> datetime:
    """When an anomaly was last away from normal, as seen at the onset of another one."""
    return max(one.ended_at or other.timestamp, one.timestamp)


def title_of(anomalies: Sequence[Anomaly]) -> str:
    """What an incident is called before its cause is known: what moved, and how many others with it."""
    lead = lead_anomaly(anomalies)
    name = lead.anomaly_type.replace("_", " ")
    others = len({one.affected_metrics[0] for one in anomalies}) - 1
    return f"{name}: {lead.affected_metrics[0]}" + (f" and {others} more" if others else "")


def _components(anomaly: Anomaly) -> frozenset[str]:
    """Where an anomaly is; a set of series is where any of them is."""
    return frozenset(_component(name) for name in anomaly.affected_metrics)


@lru_cache(maxsize=65_536)
def _component(name: str) -> str:
    try:
        return component_of(SeriesKey.parse(name))
    except InvalidInput:
        return name


@dataclass(frozen=True, slots=True)
class Reach:
    """What lies within MAX_HOPS of each component of the graph: in either direction, and downstream."""

    near: Mapping[str, frozenset[str]]
    below: Mapping[str, frozenset[str]]

    def ties(self, theirs: str, mine: str, *, early: bool, together: bool) -> bool:
        """Whether trouble here can belong to trouble there.

        Args:
            theirs: where the trouble is.
            mine: where the new trouble is.
            early: it came while the incident unfolded; later it can only be an effect.
            together: both began at the same time, which is all there is to go by without a graph.
        """
        if mine == theirs:
            return True
        if mine not in self.near or theirs not in self.near:
            return together
        # A correlation is measured over a stretch of time and so moves late.
        if (early or mine.startswith("pair:")) and _symbols(mine) & _symbols(theirs):
            return True
        return mine in (self.near if early else self.below)[theirs]

    @classmethod
    def of(cls, topology: Topology) -> Self:
        """Follow the edges of a graph from every component."""
        effects: dict[str, set[str]] = {}
        adjacent: dict[str, set[str]] = {}
        for edge in topology.edges:
            effects.setdefault(edge.cause, set()).add(edge.effect)
            adjacent.setdefault(edge.cause, set()).add(edge.effect)
            adjacent.setdefault(edge.effect, set()).add(edge.cause)
        return cls(
            near={one: frozenset(_reach(one, adjacent)) for one in adjacent},
            below={one: frozenset(_reach(one, effects)) for one in adjacent},
        )


def _symbols(component: str) -> frozenset[str]:
    """The symbols of a market or of a pair, whose prices are the same on every venue."""
    kind, _, rest = component.partition(":")
    if kind == "pair":
        return frozenset(rest.split("-"))
    return frozenset({rest.rpartition(":")[2]}) if kind == "market" else frozenset()


def _reach(component: str, steps: Mapping[str, set[str]]) -> set[str]:
    seen, front = {component}, {component}
    for _ in range(MAX_HOPS):
        passable = {one for one in front if one not in HUBS or one == component}
        front = {other for one in passable for other in steps.get(one, ())} - seen
        seen |= front
    return seen
