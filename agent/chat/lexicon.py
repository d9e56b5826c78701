"""What the words of a question can mean on this desk: metrics by many names, labels as stored."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from agent.vocabulary import Kind, kind_named, words
from domain.series import Series

HIDDEN_METRICS = frozenset({"log_template_lines"})
HIDDEN_LABELS = frozenset({"template", "level", "le", "quantile"})
DIMENSIONS = ("strategy", "venue", "symbol", "host", "database", "service", "pair", "component")
MAX_PHRASES = 20_000

# What people call a kind of quantity, beside its noun and the names of its metrics.
_ALIASES: Mapping[str, str] = {
    "pnl": "pnl|p&l|p/l|profit|profits|profit and loss|loss|losses|money|earnings|result",
    "slippage": "slippage|execution cost|shortfall",
    "fill_ratio": "fill ratio|fill rate|fill ratios|fill rates|fills|filled",
    "hedge_lag": "hedge lag|hedge lags|hedge delay|hedging lag|hedging delay|hedges|hedge latency",
    "inventory": "inventory|inventories|position|positions|exposure|holdings",
    "signal": "signal|signals|signal strength|alpha",
    "order_size": "order size|order sizes|clip size|size of orders",
    "reject_ratio": "reject ratio|rejects|rejections|reject rate|rejection rate|rejected orders"
    "|order rejects",
    "order_queue": "order queue|queue depth|queue|queues|backlog|order backlog",
    "ack_latency": "ack latency|acks|order latency|gateway latency|acknowledgement latency"
    "|acknowledgment latency|order ack latency|order acknowledgement latency"
    "|acknowledgements|latency|latencies",
    "feed_latency": "feed latency|feed delay|market data latency|market data delay|latency|latencies",
    "feed_messages": "feed messages|messages|message rate|ticks|feed rate",
    "feed_age": "feed age|staleness|feed staleness|age of the feed|quote age",
    "risk_latency": "risk latency|risk check latency|risk checks|risk check|pre-trade check|pre-trade checks",
    "pool_wait": "pool wait|connection wait|wait for a connection|pool",
    "db_connections": "connections|database connections|db connections",
    "db_latency": "database latency|db latency|write latency|db writes|database writes|db write latency",
    "gc_pause": "gc|gc pause|gc pauses|garbage collection|garbage collections",
    "memory": "memory|ram|memory use|memory usage",
    "cpu": "cpu|cpu use|cpu usage|cpu load|processor",
    "disk": "disk|disk use|disk usage|disk space",
    "network_errors": "network errors|packet loss|transmission errors",
    "funding_rate": "funding|funding rate|funding rates",
    "volatility": "volatility|volatile|vol|realized volatility|realised volatility",
    "spread": "spread|spreads|bid ask spread|bid-ask spread",
    "depth": "depth|liquidity|liquid|book depth|market depth",
    "volume": "volume|volumes|turnover|traded volume",
    "return": "return|returns",
    "price": "price|prices|quote|quotes",
    "correlation": "correlation|correlations|pair correlation",
    "orders": "orders|order count|number of orders",
    "log_lines": "log lines|number of log lines",
    "fees_paid": "fees|fee|commission|commissions|fees paid|trading fees",
    "fee_rate": "fee rate|fee rates|effective fee|rate of fees",
    "latency": "latency|latencies",
    "errors": "errors",
}
# A part of the PnL that was recorded by itself answers for its quantity where no other metric does.
_PARTS: Mapping[str, str] = {
    "pnl_fees": _ALIASES["fees_paid"],
    "pnl_funding": "funding paid|funding was paid|funding payments|funding payment|funding received"
    "|funding costs|paid in funding|pay in funding|funding did we pay|funding we paid",
}
_SYMBOL_NAMES = {
    "btc": "bitcoin",
    "eth": "ether|ethereum",
    "sol": "solana",
    "xrp": "ripple",
    "doge": "dogecoin",
}
_UNIT_ENDS = re.compile(r" (ms|us|bps|usd|usdt|percent|pct|seconds|secs|s|ratio|bytes)$")


_TOKEN = re.compile(r"[a-z0-9_&/][a-z0-9_.:&/-]*[a-z0-9_]|[a-z0-9]")
_WIDEST = 5
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Phrases and what they name.

    Args:
        metrics: phrase to names of stored metrics.
        labels: phrase to (label, value) pairs as stored.
        kinds: phrase to kinds of quantities that no stored metric has: known words without data.
        values: label to all its stored values.
    """

    metrics: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, tuple[tuple[str, str], ...]]
    kinds: frozenset[str]
    values: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, series: Sequence[Series]) -> "Lexicon":
        """The words for these series."""
        names = sorted({one.key.metric for one in series} - HIDDEN_METRICS)
        labels = {pair for one in series for pair in one.key.labels if pair[0] not in HIDDEN_LABELS}
        metrics = _metric_phrases(names)
        known = {phrase for phrases in _ALIASES.values() for phrase in phrases.split("|")}
        values: dict[str, list[str]] = {}
        for name, value in sorted(labels):
            values.setdefault(name, []).append(value)
        return cls(
            metrics=metrics,
            labels=_label_phrases(sorted(labels)[:MAX_PHRASES]),
            kinds=frozenset(known - set(metrics)),
            values={name: tuple(found) for name, found in values.items()},
        )

    def names_in(self, text: str) -> tuple[tuple[str, ...], str]:
        """The metrics that a text names, in its order, and the text without their names."""
        found, rest = _matches(text, self.metrics)
        return tuple(dict.fromkeys(name for names in found for name in names)), rest

    def labels_in(self, text: str) -> tuple[tuple[tuple[str, str], ...], str]:
        """The label values that a text names, in its order, and the text without them."""
        found, rest = _matches(text, self.labels)
        return tuple(dict.fromkeys(pair for pairs in found for pair in pairs)), rest

    def absent_in(self, text: str) -> tuple[tuple[str, ...], str]:
        """Quantities that people know but this desk does not record."""
        found, rest = _matches(text, {phrase: (phrase,) for phrase in self.kinds})
        return tuple(dict.fromkeys(phrase for phrases in found for phrase in phrases)), rest


def _metric_phrases(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    spoken: dict[str, list[str]] = {}
    exact: dict[str, list[str]] = {}
    for name in names:
        plain = words(name).replace("_", " ")
        for phrase in {name.lower(), plain, _UNIT_ENDS.sub("", plain)}:
            exact.setdefault(phrase, []).append(name)
        kind = kind_named(name)
        for phrase in _phrases(kind):
            spoken.setdefault(phrase, []).append(name)
    for name in (one for one in names if one in _PARTS):
        for phrase in _PARTS[name].split("|"):
            spoken.setdefault(phrase, [name])
    merged = {phrase: _best(found) for phrase, found in spoken.items()}
    # The name itself means that metric alone, whatever else the words could mean.
    return merged | {phrase: tuple(found) for phrase, found in exact.items() if phrase not in _AMBIGUOUS}


# Words that are a metric's whole name on some desks, and a family of them in people's mouths.
_AMBIGUOUS = frozenset({"latency", "errors"})


def _phrases(kind: Kind) -> set[str]:
    if kind.name == "other":
        return set()
    return {kind.noun.lower(), *_ALIASES.get(kind.name, "").split("|")} - {""}


def _best(found: Sequence[str]) -> tuple[str, ...]:
    """Of several metrics of one kind the plainest name stands for it: `pnl`, not `pnl_fees`."""
    by_kind: dict[str, str] = {}
    for name in sorted(found, key=lambda one: (len(words(one)), one)):
        by_kind.setdefault(kind_named(name).name, name)
    return tuple(by_kind.values())


def _label_phrases(labels: Iterable[tuple[str, str]]) -> dict[str, tuple[tuple[str, str], ...]]:
    out: dict[str, list[tuple[str, str]]] = {}
    for name, value in labels:
        lowered = value.lower()
        spoken = {lowered, re.sub(r"[_-]+", " ", lowered), *_SYMBOL_NAMES.get(lowered, "").split("|")}
        kind, colon, owner = lowered.partition(":")
        if colon:
            # People say `the bybit gateway` for gateway:bybit.
            spoken |= {f"{owner} {kind}", f"{kind} {owner}", f"{kind} of {owner}"}
        for phrase in spoken - {""}:
            if len(phrase) > 1 and not phrase.isdigit():
                out.setdefault(phrase, []).append((name, value))
    return {phrase: tuple(pairs) for phrase, pairs in out.items()}


def _matches(text: str, phrases: Mapping[str, tuple[T, ...]]) -> tuple[list[tuple[T, ...]], str]:
    """The longest phrases first; a phrase is bounded by what cannot be part of a name."""
    tokens = [(match.start(), match.end()) for match in _TOKEN.finditer(text)]
    found: list[tuple[int, tuple[T, ...]]] = []
    rest = text
    taken: set[int] = set()
    for width in range(min(_WIDEST, len(tokens)), 0, -1):
        for i in range(len(tokens) - width + 1):
            inside = range(i, i + width)
            start, end = tokens[i][0], tokens[i + width - 1][1]
            phrase = " ".join(text[start:end].split())
            if phrase in phrases and taken.isdisjoint(inside):
                taken.update(inside)
                found.append((start, phrases[phrase]))
                rest = rest[:start] + " " * (end - start) + rest[end:]
    return [meaning for _, meaning in sorted(found, key=lambda item: item[0])], rest
