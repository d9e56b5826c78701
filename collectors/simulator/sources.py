"""The product configuration that reads a simulated desk, as plain values for a settings file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from collectors.simulator.layout import DATABASE, GATEWAY_HOST, PLANS, SYMBOLS, VENUES
from collectors.simulator.schedule import HISTORY_DAYS
from collectors.simulator.vocabulary import METRICS

_HISTORY_HOURS: Final = 24.0 * (HISTORY_DAYS + 1)
_POINTS: Final = 12  # a scrape that comes late still finds the steps it missed
_LOG_PATTERN: Final = (
    r"^(?P<timestamp>\S+) (?P<level>[A-Z]+) (?P<component>[a-z]+:[A-Za-z0-9_.:-]+) (?P<message>.*)$"
)
_PARTS: Final = {
    "price_pnl": "pnl_price",
    "spread_pnl": "pnl_spread",
    "fees": "pnl_fees",
    "funding": "pnl_funding",
    "slippage": "pnl_slippage",
}
_WORDS: Final = {"BTC": ("bitcoin", "btc"), "ETH": ("ether", "eth"), "SOL": ("solana", "sol")}


def desk_configuration(ready: Mapping[str, Any], *, parts: bool = False) -> dict[str, Any]:
    """Sources, strategies and edges for the desk that a ready line describes.

    Args:
        ready: the ready line.
        parts: read the parts of PnL too, as `pnl_price`, `pnl_spread`, `pnl_fees`, `pnl_funding` and
            `pnl_slippage`; they add up to `pnl`.

    Returns:
        `sources`, `strategies` and `edges`: lists of plain dicts as they stand in the configuration.
    """
    return {"sources": sources(ready, parts=parts), "strategies": strategies(), "edges": edges()}


def sources(ready: Mapping[str, Any], *, parts: bool = False) -> list[dict[str, Any]]:
    """One source per door of the desk."""
    families = {metric.name: metric.source for metric in METRICS}
    units = {metric.name: metric.unit for metric in METRICS if metric.unit}
    step = ready["step_seconds"]
    exported = {"step_seconds": step, "sources": families, "units": units}
    return [
        _pnl(ready, step, _PARTS if parts else {}),
        {
            "name": "desk-archive",
            "kind": "csv",
            "paths": [str(Path(ready["archive"]) / "*.csv")],
            "max_samples": 5_000_000,
            **exported,
        },
        {
            "name": "desk-metrics",
            "kind": "openmetrics",
            "url": f"{ready['metrics']}?points={_POINTS}",
            "allow_private_addresses": True,
            "max_age_seconds": 2.0 * _POINTS * step,
            **exported,
        },
        {
            "name": "desk-logs",
            "kind": "logs",
            "paths": [str(Path(ready["logs"]) / "*.log")],
            "pattern": _LOG_PATTERN,
            "step_seconds": step,
        },
        _feed("desk-news", ready["news"], "news", "news"),
        _feed("desk-deploys", f"{ready['events']}?kind=deploy", "events", "deploy"),
        _feed("desk-config", f"{ready['events']}?kind=config_change", "events", "config_change"),
        _feed("desk-notices", f"{ready['events']}?kind=notice", "events", "notice"),
    ]


def _pnl(ready: Mapping[str, Any], step: int, parts: Mapping[str, str]) -> dict[str, Any]:
    values = {"pnl": "pnl", **parts}
    return {
        "name": "desk-pnl",
        "kind": "sql",
        "source": "pnl_data",
        "url": ready["database"],
        "query": (
            f"SELECT ts, strategy, venue, symbol, {', '.join(values)} FROM pnl"  # noqa: S608 - our own names
            " WHERE ts >= :since AND ts < :until ORDER BY ts LIMIT :limit"
        ),
        "bind_time_as": "rfc3339",
        "time_column": "ts",
        "values": values,
        "label_columns": ["strategy", "venue", "symbol"],
        "unit": "USD",
        "step_seconds": step,
        "backfill_hours": _HISTORY_HOURS,
        "overlap_seconds": _POINTS * step,
    }


def _feed(name: str, url: str, source: str, kind: str) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "news",
        "source": source,
        "url": url,
        "event_kind": kind,
        "max_age_hours": _HISTORY_HOURS,
        "symbols": {symbol: list(words) for symbol, words in _WORDS.items()},
        "allow_private_addresses": True,
    }


def strategies() -> list[dict[str, Any]]:
    """The strategies with where they trade and run."""
    return [
        {"name": plan.name, "venues": list(plan.venues), "symbols": list(plan.symbols), "host": plan.host}
        for plan in PLANS
    ]


def edges() -> list[dict[str, str]]:
    """What an operator of this desk knows beyond the strategies: who depends on whom."""
    names = [f"strategy:{plan.name}" for plan in PLANS]
    pairs = [(f"database:{DATABASE}", "service:risk")]
    pairs += [("service:risk", name) for name in names]
    for venue in VENUES:
        pairs += [(f"venue:{venue}", f"gateway:{venue}"), (f"venue:{venue}", f"feed:{venue}")]
        pairs += [(f"host:{GATEWAY_HOST}", f"gateway:{venue}"), (f"host:{GATEWAY_HOST}", f"feed:{venue}")]
        pairs += [(f"venue:{venue}", f"market:{venue}:{symbol}") for symbol in SYMBOLS]
    return [{"cause": cause, "effect": effect} for cause, effect in pairs]
