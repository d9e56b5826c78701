"""Default cause graph of a desk from its strategies, and edges read off the labels of series."""

import re
from collections.abc import Iterable, Iterator, Sequence

from agent.vocabulary import class_of, component_of, family_of, kind_of
from domain.series import SeriesKey
from domain.topology import Strategy, Topology

__all__ = ["class_of", "component_of", "default_edges", "discovered_edges", "family_of", "joined", "kind_of"]

Pairs = Iterator[tuple[str, str]]


def default_edges(strategies: Sequence[Strategy]) -> Topology:
    """Edges that follow from who trades what, where and on which machine.

    Host -> gateway, feed, database, risk and strategy; market -> feed and gateway, which get busy with it;
    gateway, feed, venue and market -> strategy; database -> risk -> strategy; strategy -> desk.
    """
    return Topology.of(pair for strategy in strategies for pair in _edges_of(strategy))


def _edges_of(strategy: Strategy) -> Pairs:
    name = f"strategy:{strategy.name}"
    yield name, "desk"
    yield "service:risk", name
    for venue in strategy.venues:
        yield from _venue_edges(venue, strategy, name)
    if strategy.host:
        host = f"host:{strategy.host}"
        for effect in (name, "service:risk"):
            yield host, effect


def _venue_edges(venue: str, strategy: Strategy, name: str) -> Pairs:
    gateway, feed = f"gateway:{venue}", f"feed:{venue}"
    for part in (gateway, feed, f"venue:{venue}"):
        yield part, name
    yield f"venue:{venue}", gateway
    yield f"venue:{venue}", feed
    if strategy.host:
        yield f"host:{strategy.host}", gateway
        yield f"host:{strategy.host}", feed
    for symbol in strategy.symbols:
        market = f"market:{venue}:{symbol}"
        yield market, name
        yield market, feed
        yield market, gateway


def discovered_edges(keys: Iterable[SeriesKey], strategies: Sequence[Strategy] = ()) -> Topology:
    """Edges that labels give away: databases, pairs, and who trades where as seen in strategy series."""
    keys = tuple(keys)
    seen = [_traded(key) for key in keys if key.label("strategy")]
    known = (*strategies, *(strategy for strategy in seen if strategy.venues or strategy.symbols))
    components = {component_of(key) for key in keys}
    pairs = set(_trade_edges(known, components))
    for component in components:
        pairs |= set(_component_edges(component, known, components))
    return Topology.of(pairs)


def joined(*topologies: Topology) -> Topology:
    """One graph with the edges of all."""
    return Topology.of((edge.cause, edge.effect) for topology in topologies for edge in topology.edges)


def _traded(key: SeriesKey) -> Strategy:
    venue, symbol = key.label("venue"), key.label("symbol")
    return Strategy(
        name=key.label("strategy") or "-",
        venues=(venue,) if venue else (),
        symbols=(symbol,) if symbol else (),
    )


def _trade_edges(strategies: Iterable[Strategy], components: set[str]) -> Pairs:
    venues: dict[str, set[str]] = {}
    symbols: dict[str, set[str]] = {}
    for strategy in strategies:
        venues.setdefault(strategy.name, set()).update(strategy.venues)
        symbols.setdefault(strategy.name, set()).update(strategy.symbols)
    for name, traded in venues.items():
        merged = Strategy(name=name, venues=tuple(traded), symbols=tuple(symbols[name]))
        yield from (
            (cause, effect) for cause, effect in _edges_of(merged) if cause in components or effect == "desk"
        )


def _component_edges(component: str, strategies: Sequence[Strategy], components: set[str]) -> Pairs:
    users = {f"strategy:{strategy.name}" for strategy in strategies}
    kind = class_of(component)
    if kind == "database":
        yield component, "service:risk"
        yield from ((component, user) for user in users if "service:risk" not in components)
    elif kind == "pair":
        legs = set(re.split(r"[-/_,:|]", component.partition(":")[2]))
        for strategy in strategies:
            if legs & set(strategy.symbols):
                yield component, f"strategy:{strategy.name}"
    elif kind == "host":
        for effect in components:
            if class_of(effect) in {"database", "service"}:
                yield component, effect
