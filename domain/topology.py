"""The cause graph of a desk: which component can make which other one misbehave."""

from collections.abc import Iterable, Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field


class Strategy(BaseModel):
    """A strategy with where it trades and where it runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=200, description="As in the label `strategy`.")
    venues: tuple[str, ...] = Field(default=(), description="As in the label `venue`.")
    symbols: tuple[str, ...] = Field(default=(), description="As in the label `symbol`.")
    host: str | None = Field(default=None, description="As in the label `host`.")


class Edge(BaseModel):
    """`cause` can make `effect` misbehave; both are component names such as `gateway:bybit`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cause: str = Field(min_length=1, description="Component, such as `gateway:bybit`.")
    effect: str = Field(min_length=1, description="Component that suffers.")


class Topology(BaseModel):
    """A directed cause graph; cycles and unknown components are allowed, an empty one is normal."""

    model_config = ConfigDict(frozen=True)

    edges: tuple[Edge, ...] = ()

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """Build from (cause, effect) pairs; duplicates and self loops are dropped."""
        unique = sorted({(cause, effect) for cause, effect in pairs if cause != effect})
        return cls(edges=tuple(Edge(cause=cause, effect=effect) for cause, effect in unique))

    def causes_of(self) -> Mapping[str, tuple[str, ...]]:
        """For each component, its direct causes."""
        parents: dict[str, list[str]] = {}
        for edge in self.edges:
            parents.setdefault(edge.effect, []).append(edge.cause)
        return {effect: tuple(causes) for effect, causes in parents.items()}

    def reached_from(self, start: str) -> frozenset[str]:
        """Every component that a walk along the edges reaches from `start`."""
        effects: dict[str, list[str]] = {}
        for edge in self.edges:
            effects.setdefault(edge.cause, []).append(edge.effect)
        seen: set[str] = set()
        front = [start]
        while front:
            front = [one for cause in front for one in effects.get(cause, ()) if one not in seen]
            seen.update(front)
        return frozenset(seen)

    def hops_to(self, target: str) -> Mapping[str, int]:
        """Distance in edges from each possible cause to the target; the target itself is 0."""
        parents = self.causes_of()
        hops = {target: 0}
        front = [target]
        while front:
            front = [
                cause for effect in front for cause in parents.get(effect, ()) if _visit(cause, effect, hops)
            ]
        return hops


def _visit(cause: str, effect: str, hops: dict[str, int]) -> bool:
    if cause in hops:
        return False
    hops[cause] = hops[effect] + 1
    return True
