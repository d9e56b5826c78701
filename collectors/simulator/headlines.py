"""Headlines, exchange notices, deploys and configuration changes: most of them harmless."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from collectors.simulator.clock import at_second
from collectors.simulator.incidents import Incident
from collectors.simulator.layout import HOSTS, STRATEGIES, SYMBOLS, VENUES


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a feed. `kind` is `news`, `notice`, `deploy` or `config_change`."""

    id: str
    timestamp: datetime
    kind: str
    title: str
    text: str
    component: str = ""


_DAY_S: Final = 86_400
_NEWS_PER_DAY: Final = 11.0
_CHANGES_PER_DAY: Final = 2.4
_QUIET_NEWS: Final = (
    "{asset} holds range as traders await inflation data",
    "Analysts see {asset} consolidating before the next move",
    "{venue} lists three new trading pairs",
    "Developers of {asset} publish roadmap for next year",
    "Asset manager files amended prospectus for {asset} fund",
    "{venue} publishes monthly proof of reserves",
    "Regulator opens consultation on custody of digital assets",
    "Opinion: what the last {asset} cycle taught market makers",
    "{asset} options: open interest rises ahead of month end",
    "Payment company pilots stablecoin settlement",
    "{venue} announces scheduled maintenance of its test network",
    "Miners report steady output for the quarter",
    "Survey: institutions plan to hold more {asset}",
    "{asset} developers fix minor wallet bug",
)
_ASSETS: Final = {"BTC": "Bitcoin", "ETH": "Ether", "SOL": "Solana"}
_VENUE_NAMES: Final = {"binance": "Binance", "bybit": "Bybit", "okx": "OKX"}
_QUIET_CHANGES: Final = (
    ("deploy", "Deployed {component} {version}: clearer log messages"),
    ("deploy", "Deployed {component} {version}: library updates"),
    ("deploy", "Deployed {component} {version}: dashboards only"),
    ("config_change", "Changed {component}: alert contact list"),
    ("config_change", "Changed {component}: log level of one module"),
)
# kind of incident -> (kind of item, component, minutes after the onset, share of incidents, text)
_TOLD: Final[dict[str, tuple[tuple[str, str, float, float, str], ...]]] = {
    "venue_gateway_latency": (
        ("notice", "venue:{t}", 14, 1.0, "{Venue} status: investigating elevated latency of order entry"),
    ),
    "funding_shock": (
        ("news", "", 9, 1.0, "Funding on {Venue} perpetuals swings to extreme as positions crowd one side"),
    ),
    "volatility_regime_shift": (
        ("news", "", 4, 1.0, "Crypto markets turn volatile after surprise policy statement"),
        ("news", "", 21, 1.0, "Liquidations mount as Bitcoin and Ether swing"),
    ),
    "liquidity_drain": (("news", "", 12, 0.7, "Large market maker said to pull quotes from {Venue}"),),
    "connection_pool_exhaustion": (),
    "bad_deploy": (
        ("deploy", "strategy:{t}", -0.5, 1.0, "Deployed strategy:{t} {version}: new tick size table"),
    ),
    "stale_feed": (
        ("notice", "venue:{t}", 16, 0.8, "{Venue} status: market data streams degraded for some clients"),
    ),
    "silent_strategy": (),
    "pump_and_dump": (
        ("news", "", -6, 0.8, "Chat groups push Solana: members told to buy at the full hour"),
        ("news", "", 17, 1.0, "Solana soars without apparent news, volume many times the usual"),
    ),
    "flash_crash": (
        ("news", "", 5, 1.0, "Bitcoin plunges and rebounds within minutes, hundreds of millions liquidated"),
    ),
    "correlation_breakdown": (
        ("news", "", 6, 1.0, "{Asset} parts ways with the market after network upgrade vote"),
    ),
    "fat_finger": (
        ("config_change", "strategy:{t}", -1, 0.7, "Changed strategy:{t}: order size given in contracts"),
    ),
}
_ENDS: Final[dict[str, tuple[str, str, str]]] = {
    "venue_gateway_latency": ("notice", "venue:{t}", "{Venue} status: order entry back to normal"),
    "bad_deploy": ("deploy", "strategy:{t}", "Rolled back strategy:{t} to the previous version"),
    "stale_feed": ("notice", "venue:{t}", "{Venue} status: market data streams recovered"),
}
_DECOY_SHARE: Final = 0.5


def harmless_items(seed: int, first_day: int, last_day: int) -> list[Item]:
    """What the feeds carry on days [first_day, last_day] (days since 1970) without any reason to worry."""
    items: list[Item] = []
    for day in range(first_day, last_day + 1):
        generator = np.random.default_rng([seed, 7, day])
        for n in range(int(generator.poisson(_NEWS_PER_DAY))):
            text = _QUIET_NEWS[int(generator.integers(len(_QUIET_NEWS)))].format(
                asset=_ASSETS[SYMBOLS[int(generator.integers(3))]],
                venue=_VENUE_NAMES[VENUES[int(generator.integers(3))]],
            )
            when = at_second(float(day * _DAY_S + np.floor(generator.uniform(0, _DAY_S))))
            items.append(Item(f"news-{day}-{n}", when, "news", text, text))
        for n in range(int(generator.poisson(_CHANGES_PER_DAY))):
            when = at_second(float(day * _DAY_S + np.floor(generator.uniform(7, 19) * 3600)))
            items.append(_harmless_change(generator, f"change-{day}-{n}", when))
    return items


def _harmless_change(generator: np.random.Generator, name: str, when: datetime) -> Item:
    components = [f"strategy:{one}" for one in STRATEGIES] + [f"host:{one}" for one in HOSTS]
    components += ["service:risk", "service:reports", "service:accounting"]
    component = components[int(generator.integers(len(components)))]
    kind, text = _QUIET_CHANGES[int(generator.integers(len(_QUIET_CHANGES)))]
    text = text.format(component=component, version=_version(generator))
    return Item(name, when, kind, text, text, component)


def incident_items(seed: int, incident: Incident) -> list[Item]:
    """What the feeds carry about an incident, and now and then a harmless change shortly before it."""
    generator = np.random.default_rng([seed, 8, incident.number])
    fields = {
        "t": incident.target,
        "Venue": _VENUE_NAMES.get(incident.target, incident.target),
        "Asset": _ASSETS.get(incident.target, incident.target),
        "version": _version(generator),
    }
    items: list[Item] = []
    for n, (kind, component, minutes, share, text) in enumerate(_TOLD[incident.kind]):
        if generator.random() < share:
            when = incident.start + timedelta(minutes=minutes)
            items.append(
                _told(f"{incident.number}-{n}", kind, when, text.format(**fields), component.format(**fields))
            )
    if incident.kind in _ENDS:
        kind, component, text = _ENDS[incident.kind]
        items.append(
            _told(
                f"{incident.number}-end",
                kind,
                incident.end,
                text.format(**fields),
                component.format(**fields),
            )
        )
    if incident.origin != "request" and generator.random() < _DECOY_SHARE:
        before = incident.start - timedelta(minutes=float(np.round(generator.uniform(4, 15))))
        items.append(_harmless_change(generator, f"change-x{incident.number}", before))
    return items


def _told(name: str, kind: str, when: datetime, text: str, component: str) -> Item:
    return Item(f"item-{name}", when.replace(microsecond=0), kind, text, text, component)


def _version(generator: np.random.Generator) -> str:
    return f"v{generator.integers(2, 6)}.{generator.integers(0, 30)}.{generator.integers(0, 10)}"


def visible(items: Sequence[Item], now: datetime, oldest: datetime) -> list[Item]:
    """Items in [oldest, now], newest first."""
    return sorted(
        (item for item in items if oldest <= item.timestamp <= now),
        key=lambda item: (item.timestamp, item.id),
        reverse=True,
    )
