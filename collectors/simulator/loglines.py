"""What the components write into their logs, in quiet times and under each kind of incident."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from collectors.simulator.clock import at_second
from collectors.simulator.incidents import Incident
from collectors.simulator.layout import (
    DATABASE,
    HOSTS,
    PLANS,
    STEP_S,
    STRATEGIES,
    SYMBOLS,
    VENUES,
)
from domain.timestamps import format_rfc3339


@dataclass(frozen=True, slots=True)
class Template:
    """A message shape with its mean number of lines per step.

    Fields in braces: `ms`, `n`, `usd`, `pct`, `id`, `symbol`, `venue`.
    """

    level: str
    rate: float
    text: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log; `seconds` since 1970."""

    seconds: float
    level: str
    component: str
    text: str

    def render(self) -> str:
        """The line as it stands in the file, without its end."""
        stamp = format_rfc3339(at_second(round(self.seconds, 3)))
        return f"{_with_millis(stamp)} {self.level} {self.component} {self.text}"


_GATEWAY: Final = (
    Template("INFO", 1.2, "order {id} acknowledged in {ms:.1f} ms"),
    Template("INFO", 0.5, "session heartbeat ok, {n} orders in flight"),
    Template("WARN", 0.05, "order {id} rejected: post only would cross"),
)
_FEED: Final = (
    Template("INFO", 0.7, "book snapshot {symbol} applied, sequence {n}"),
    Template("INFO", 0.4, "subscription {symbol} alive, lag {ms:.1f} ms"),
    Template("WARN", 0.03, "sequence gap on {symbol}, {n} updates requested again"),
)
_STRATEGY: Final = (
    Template("INFO", 1.0, "quoted {symbol} size {usd:.0f} USD, inventory {pct:.1f} % of limit"),
    Template("INFO", 0.5, "fill {id} {symbol} {usd:.2f} USD"),
    Template("WARN", 0.03, "inventory {pct:.1f} % of limit on {symbol}, quotes skewed"),
)
_RISK: Final = (
    Template("INFO", 0.8, "pre-trade check passed for {n} orders in {ms:.2f} ms"),
    Template("WARN", 0.03, "soft limit at {pct:.0f} % for {symbol}"),
)
_DATABASE: Final = (
    Template("INFO", 0.6, "checkpoint complete: wrote {n} buffers in {ms:.1f} ms"),
    Template("INFO", 0.3, "autovacuum of table fills: {n} tuples removed"),
    Template("WARN", 0.02, "slow statement: {ms:.0f} ms insert into fills"),
)
_HOST: Final = (
    Template("INFO", 0.4, "health probe ok, load {pct:.1f} %"),
    Template("WARN", 0.01, "clock offset {ms:.2f} ms corrected"),
)

QUIET: Final[dict[str, tuple[Template, ...]]] = (
    {f"gateway:{venue}": _GATEWAY for venue in VENUES}
    | {f"feed:{venue}": _FEED for venue in VENUES}
    | {f"strategy:{name}": _STRATEGY for name in STRATEGIES}
    | {"service:risk": _RISK, f"database:{DATABASE}": _DATABASE}
    | {f"host:{host}": _HOST for host in HOSTS}
)

# What an incident adds: component (with the target filled in), level, lines per step, text.
_TROUBLE: Final[dict[str, tuple[tuple[str, Template], ...]]] = {
    "venue_gateway_latency": (
        ("gateway:{target}", Template("WARN", 9, "slow acknowledgement: order {id} took {ms:.0f} ms")),
        ("gateway:{target}", Template("ERROR", 5, "order {id} timed out waiting for acknowledgement")),
        ("gateway:{target}", Template("WARN", 3, "send queue backlog, {n} orders waiting")),
        ("strategy:users", Template("WARN", 2, "hedge on {venue} late by {ms:.0f} ms, position exposed")),
    ),
    "funding_shock": (
        ("strategy:carry_perp", Template("WARN", 5, "predicted funding on {venue} outside model range")),
        ("service:risk", Template("WARN", 3, "funding exposure {pct:.0f} % of limit on {venue}")),
    ),
    "volatility_regime_shift": (
        ("service:risk", Template("WARN", 5, "volatility scaler raised, {symbol} limit cut to {pct:.0f} %")),
        ("strategy:mm_btc", Template("WARN", 3, "spread widened to volatility floor on {symbol}")),
        ("strategy:mm_sol", Template("WARN", 3, "spread widened to volatility floor on {symbol}")),
    ),
    "liquidity_drain": (
        ("feed:{target}", Template("WARN", 4, "book {symbol} thin: {n} levels within 10 bps")),
        ("strategy:users", Template("WARN", 2, "order {id} filled {pct:.0f} %, book exhausted on {venue}")),
    ),
    "connection_pool_exhaustion": (
        ("database:{target}", Template("ERROR", 8, "remaining connection slots are reserved")),
        ("database:{target}", Template("WARN", 4, "session {n} idle in transaction for {ms:.0f} s")),
        ("service:risk", Template("ERROR", 7, "could not get a connection from pool within {ms:.0f} ms")),
        ("strategy:all", Template("WARN", 2, "pre-trade check timed out for order {id}")),
    ),
    "bad_deploy": (
        ("strategy:{target}", Template("ERROR", 9, "unhandled exception in quote loop: KeyError tick_size")),
        (
            "strategy:{target}",
            Template("WARN", 4, "quote for {symbol} rounded to {usd:.0f}, expected finer tick"),
        ),
        ("strategy:{target}", Template("WARN", 3, "duplicate order {id} suppressed late")),
    ),
    "stale_feed": (
        ("feed:{target}", Template("ERROR", 4, "no message for {n} s, reconnecting")),
        ("feed:{target}", Template("WARN", 4, "websocket ping timeout after {ms:.0f} ms")),
        (
            "strategy:users",
            Template("WARN", 2, "price of {symbol} on {venue} unchanged, quoting on last known"),
        ),
    ),
    "silent_strategy": (("service:risk", Template("WARN", 1, "no heartbeat from strategy {target_name}")),),
    "pump_and_dump": (
        ("strategy:momentum", Template("WARN", 4, "signal saturated on {symbol_hit}, position at limit")),
        ("service:risk", Template("WARN", 3, "price band breached on {symbol_hit}: {pct:.1f} %")),
    ),
    "flash_crash": (
        ("service:risk", Template("ERROR", 6, "circuit breaker tripped on {symbol}: move {pct:.1f} %")),
        ("strategy:mm_btc", Template("ERROR", 4, "quotes pulled, inventory {pct:.0f} % of limit")),
        ("strategy:mm_sol", Template("ERROR", 4, "quotes pulled, inventory {pct:.0f} % of limit")),
        ("gateway:binance", Template("WARN", 3, "rate limited by venue, {n} orders delayed")),
    ),
    "correlation_breakdown": (
        ("strategy:pairs_eth_sol", Template("WARN", 5, "hedge ratio unstable, residual {pct:.1f} sigma")),
        ("service:risk", Template("WARN", 3, "correlation limit breached for pairs_eth_sol")),
    ),
    "fat_finger": (
        ("service:risk", Template("ERROR", 6, "order {id} of {target_name} above size limit: {usd:.0f} USD")),
        ("strategy:{target}", Template("WARN", 4, "position {pct:.0f} % of limit, unwinding")),
    ),
}
_SILENT_AFTER: Final = timedelta(seconds=30)


class LogWriter:
    """Produces the lines of a step from the seed, the step and the incidents, nothing else."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._names = [name for name, templates in QUIET.items() for _ in templates]
        self._templates = [template for templates in QUIET.values() for template in templates]
        self._rates = np.array([template.rate for template in self._templates])

    def lines(self, step: int, load: float, incidents: Sequence[Incident]) -> list[LogLine]:
        """Lines of one step in order of time; `load` is the log of market activity."""
        generator = np.random.default_rng([self._seed, 5, step])
        counts = generator.poisson(self._rates * np.exp(0.4 * load))
        picks = [(self._names[i], self._templates[i]) for i in np.repeat(np.arange(len(counts)), counts)]
        found = self._fill(generator, step, picks, None)
        for incident in incidents:
            found = [line for line in found if not _silenced(line, incident)]
            found += self._trouble(step, incident)
        return sorted(found, key=lambda line: line.seconds)

    def _trouble(self, step: int, incident: Incident) -> list[LogLine]:
        begin, end = incident.start.timestamp(), incident.end.timestamp()
        share = (min(end, (step + 1) * STEP_S) - max(begin, step * STEP_S)) / STEP_S
        if share <= 0:
            return []
        generator = np.random.default_rng([self._seed, 6, step, incident.number])
        picks: list[tuple[str, Template]] = []
        for pattern, template in _TROUBLE[incident.kind]:
            for name in _components(pattern, incident.target):
                count = int(generator.poisson(template.rate * share * incident.intensity))
                picks += [(name, template)] * count
        lines = self._fill(generator, step, picks, incident)
        return [line for line in lines if begin + 5 <= line.seconds <= end]

    def _fill(
        self,
        generator: np.random.Generator,
        step: int,
        picks: Sequence[tuple[str, Template]],
        incident: Incident | None,
    ) -> list[LogLine]:
        draws = generator.random((len(picks), 6)).tolist()
        target = incident.target if incident else ""
        return [
            LogLine(
                step * STEP_S + draw[0] * STEP_S,
                template.level,
                name,
                template.text.format(**_fields(draw, name, target, troubled=template.level != "INFO")),
            )
            for (name, template), draw in zip(picks, draws, strict=True)
        ]


def _components(pattern: str, target: str) -> list[str]:
    if pattern == "strategy:users":
        return [f"strategy:{plan.name}" for plan in PLANS if target in plan.venues]
    if pattern == "strategy:all":
        return [f"strategy:{name}" for name in STRATEGIES]
    return [pattern.format(target=target)]


def _fields(draw: Sequence[float], name: str, target: str, *, troubled: bool) -> dict[str, object]:
    plan = next((plan for plan in PLANS if name == f"strategy:{plan.name}"), None)
    symbols = plan.symbols if plan else SYMBOLS
    venue = target if target in VENUES else VENUES[int(draw[5] * len(VENUES))]
    return {
        "ms": (120 + 480 * draw[1]) if troubled else (4 + 20 * draw[1]),
        "n": int(20 + 180 * draw[2]),
        "usd": 500 + 9_000 * draw[3],
        "pct": 10 + 80 * draw[4],
        "id": f"{int(draw[2] * 0xFFFFFFFF):08x}",
        "symbol": symbols[int(draw[5] * len(symbols))],
        "symbol_hit": target,
        "venue": venue,
        "target_name": target,
    }


def _silenced(line: LogLine, incident: Incident) -> bool:
    if incident.kind != "silent_strategy" or line.component != f"strategy:{incident.target}":
        return False
    begin = (incident.start + _SILENT_AFTER).timestamp()
    return begin <= line.seconds <= incident.end.timestamp()


def _with_millis(stamp: str) -> str:
    return f"{stamp[:19]}.{stamp[20:23] if '.' in stamp else '000'}Z"


def quiet_components() -> tuple[str, ...]:
    """Every component that writes a log."""
    return tuple(QUIET)
