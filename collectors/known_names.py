"""Which symbols and venues a text names: by configured words, and by names that everybody knows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

# Names in full; tickers are looked for as well, in capitals alone, as many of them are words.
COINS: Mapping[str, tuple[str, ...]] = {
    "BTC": ("bitcoin",),
    "ETH": ("ethereum", "ether"),
    "SOL": ("solana",),
    "XRP": ("ripple",),
    "BNB": ("binance coin",),
    "DOGE": ("dogecoin",),
    "ADA": ("cardano",),
    "TRX": ("tron network",),
    "AVAX": ("avalanche network", "avalanche blockchain"),
    "DOT": ("polkadot",),
    "LTC": ("litecoin",),
    "BCH": ("bitcoin cash",),
    "LINK": ("chainlink",),
    "MATIC": ("polygon network",),
    "TON": ("toncoin",),
    "UNI": ("uniswap",),
    "ATOM": ("cosmos hub",),
    "XMR": ("monero",),
    "USDT": ("tether",),
    "USDC": ("usd coin",),
}
VENUES: Mapping[str, tuple[str, ...]] = {
    "binance": ("binance",),
    "bybit": ("bybit",),
    "okx": ("okx",),
    "coinbase": ("coinbase",),
    "kraken": ("kraken",),
    "bitget": ("bitget",),
    "kucoin": ("kucoin",),
    "gateio": ("gate.io",),
    "deribit": ("deribit",),
    "bitfinex": ("bitfinex",),
    "bitmex": ("bitmex",),
    "hyperliquid": ("hyperliquid",),
    "nyse": ("nyse", "new york stock exchange"),
    "nasdaq": ("nasdaq",),
    "cme": ("cme group", "chicago mercantile exchange"),
}
_QUOTES = r"(?:[-/_]?(?:USDT|USDC|USD|PERP))?"
_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class KnownNames:
    """Patterns by symbol and by venue."""

    symbols: Mapping[str, re.Pattern[str]]
    venues: Mapping[str, re.Pattern[str]]

    @classmethod
    def of(
        cls,
        symbols: Mapping[str, tuple[str, ...]],
        venues: Mapping[str, tuple[str, ...]],
        *,
        known: bool = True,
    ) -> Self:
        """Configured words, any of which names its symbol or venue whatever its case, and known names."""
        coins, places = (COINS, VENUES) if known else ({}, {})
        return cls(
            {
                name: _pattern((*coins.get(name, ()), *symbols.get(name, ())), name, own=name in symbols)
                for name in dict.fromkeys([*symbols, *coins])
            },
            {
                name: _pattern((*places.get(name, ()), *venues.get(name, ())), "", own=False)
                for name in dict.fromkeys([*venues, *places])
            },
        )

    def symbols_in(self, text: str) -> list[str]:
        """Symbols that a text names, configured ones first."""
        return [name for name, pattern in self.symbols.items() if pattern.search(text)][:_MOST_NAMES]

    def venues_in(self, text: str) -> list[str]:
        """Venues that a text names, configured ones first."""
        return [name for name, pattern in self.venues.items() if pattern.search(text)][:_MOST_NAMES]

    def labels(self, text: str) -> dict[str, str]:
        """Labels that link a text: `symbol` and `venue` where it names exactly one, else all in one label."""
        found: dict[str, str] = {}
        for one, many, names in (
            ("symbol", "symbols", self.symbols_in(text)),
            ("venue", "venues", self.venues_in(text)),
        ):
            if names:
                found[many] = ",".join(names)[:500]
            if len(names) == 1:
                found[one] = names[0]
        return found


def _pattern(words: tuple[str, ...], ticker: str, *, own: bool) -> re.Pattern[str]:
    """Words in any case; a ticker in capitals, or in any case where it was configured."""
    parts = [rf"(?i:\b(?:{'|'.join(map(re.escape, words))})\b)"] if words else []
    if ticker:
        tick = rf"(?<![A-Za-z0-9]){re.escape(ticker)}{_QUOTES}(?![A-Za-z0-9])"
        parts.append(f"(?i:{tick})" if own else tick)
    return re.compile("|".join(parts) or r"(?!)")
