"""The settings of what is read from a venue."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from collectors.settings_base import MAX_ANSWER_BYTES, SourceBase, check_url
from domain.series import SourceName

Feed = Literal["bars", "ticker", "book", "funding", "open_interest"]
FEEDS: tuple[Feed, ...] = ("bars", "ticker", "book", "funding", "open_interest")
_SYMBOL = re.compile(r"[^\s/:]{1,30}/[^\s/:]{1,30}(:[^\s/:]{1,60})?")


def is_loopback(url: str) -> bool:
    """Whether an address names this host; nothing is looked up."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class VenueSource(SourceBase):
    """A source that ccxt reads from a venue."""

    venue: str = Field(
        pattern=r"^[a-z0-9_]{1,40}$", description="ccxt's id of the venue: `bybit`, `binanceusdm`, `okx`, ..."
    )
    venue_label: str | None = Field(
        default=None, description="Value of the label `venue`, where it is not the id."
    )
    base_url: str | None = Field(
        default=None,
        max_length=500,
        description="Replaces scheme and host of the venue's addresses: a proxy, a regional host, a replay.",
    )
    allow_private_addresses: bool = Field(
        default=False,
        description="Allow loopback and private addresses; link-local and metadata addresses stay refused.",
    )
    options: Mapping[str, str | int | float | bool] = Field(
        default={}, description="Passed on as ccxt's `options`, such as `defaultType`."
    )
    call_seconds: float = Field(
        default=8, gt=0, le=300, description="One call that takes longer is given up."
    )
    markets_hours: float = Field(
        default=12, gt=0, le=168, description="How long the venue's list of markets is kept."
    )
    deadline_seconds: float = Field(
        default=45, gt=0, le=3_600, description="A read that takes longer is given up; the cycle goes on."
    )
    max_bytes: int = Field(
        default=MAX_ANSWER_BYTES, ge=1_000, le=1_000_000_000, description="Longest answer read, decompressed."
    )

    @field_validator("base_url")
    @classmethod
    def _is_encrypted_or_local(cls, base_url: str | None) -> str | None:
        if base_url is not None:
            check_url(base_url)
            if urlsplit(base_url).scheme != "https" and not is_loopback(base_url):
                raise ValueError("base_url must be https, except on loopback")
        return base_url

    @property
    def label(self) -> str:
        """The label `venue` of everything that is read."""
        return self.venue_label or self.venue


class ExchangeSource(VenueSource):
    """Market data of a venue: bars, quotes, book, funding, open interest."""

    kind: Literal["exchange"]
    source: SourceName = Field(default="market_data", description="What the data are.")
    symbols: tuple[str, ...] = Field(
        min_length=1,
        max_length=500,
        description="ccxt's unified symbols: `BTC/USDT` is spot, `BTC/USDT:USDT` the perpetual.",
    )
    feeds: tuple[Feed, ...] = Field(
        default=FEEDS, min_length=1, description="What is read: bars, ticker, book, funding, open_interest."
    )
    timeframe: str | None = Field(
        default=None,
        pattern=r"^[1-9][0-9]{0,2}[smhd]$",
        description="Of the bars; default: the longest of the venue's that is no longer than a grid cell.",
    )
    backfill_hours: float = Field(
        default=24, ge=0, le=8_760, description="How far the first read, or one after an outage, goes back."
    )
    page_bars: int = Field(default=500, ge=50, le=1_000, description="Bars per call.")
    settle_seconds: float = Field(
        default=1, ge=0, le=60, description="A bar counts as closed this long after its end."
    )
    volatility_bars: int = Field(
        default=12, ge=2, le=500, description="Bars over which volatility is realised."
    )
    volume_bars: int = Field(
        default=72, ge=2, le=500, description="Bars before one whose median is its usual volume."
    )
    book_levels: int = Field(default=50, ge=1, le=1_000, description="Levels of the book asked for.")
    depth_bps: float = Field(
        default=10,
        gt=0,
        le=10_000,
        description="Depth and imbalance count orders this near to the mid price.",
    )

    @field_validator("symbols")
    @classmethod
    def _are_unified(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        for symbol in symbols:
            if not _SYMBOL.fullmatch(symbol):
                raise ValueError(f"{symbol[:40]!r} is not a unified symbol like BTC/USDT:USDT")
        if len(set(symbols)) < len(symbols):
            raise ValueError("names a symbol twice")
        return symbols

    @property
    def stale_after(self) -> float | None:
        """Three cells, or three bars where those are longer: a bar is news only once it is over."""
        usual = super().stale_after
        if self.stale_after_seconds or usual is None or self.timeframe is None:
            return usual
        seconds = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[self.timeframe[-1]]
        return max(usual, 3.0 * seconds * int(self.timeframe[:-1]))

    @model_validator(mode="after")
    def _has_room_for_new_bars(self) -> Self:
        if max(self.volume_bars, self.volatility_bars) + 10 > self.page_bars:
            raise ValueError("page_bars must exceed volatility_bars and volume_bars by at least 10")
        return self
