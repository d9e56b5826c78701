"""The settings of equities and indices."""

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from collectors.exchange.settings import is_loopback
from collectors.settings_base import SourceBase, check_url
from domain.series import SourceName

Interval = Literal["1m", "2m", "5m", "15m", "30m", "60m", "1d"]
SECONDS: dict[str, int] = {
    "1m": 60,
    "2m": 120,
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "60m": 3_600,
    "1d": 86_400,
}
# How far back the service has intraday bars, in days.
_REACH = {"1m": 7, "2m": 59, "5m": 59, "15m": 59, "30m": 59, "60m": 729}


class EquitiesSource(SourceBase):
    """Daily or intraday bars of shares, funds and indices, through yfinance."""

    kind: Literal["equities"]
    source: SourceName = Field(default="market_data", description="What the data are.")
    symbols: tuple[str, ...] = Field(
        min_length=1, max_length=500, description="Yahoo's symbols: `AAPL`, `^GSPC`, `SAP.DE`."
    )
    interval: Interval = Field(default="1d", description="Width of the bars, which have a grid of their own.")
    venue_label: str | None = Field(
        default=None, description="Value of the label `venue`; default: the exchange that the answer names."
    )
    backfill_days: float = Field(
        default=60, gt=0, le=3_650, description="How far back the first read, or one after an outage, goes."
    )
    delay_minutes: float = Field(
        default=20,
        ge=0,
        le=1_440,
        description="Prices are delayed: the last bar of a session counts as closed this long after its end.",
    )
    volatility_bars: int = Field(
        default=12, ge=2, le=500, description="Bars over which volatility is realised."
    )
    volume_bars: int = Field(
        default=20, ge=2, le=500, description="Bars before one whose median is its usual volume."
    )
    base_url: str | None = Field(
        default=None,
        max_length=500,
        description="Replaces scheme and host of the service: a proxy, a replay.",
    )
    call_seconds: float = Field(
        default=10, gt=0, le=300, description="One call that takes longer is given up."
    )
    deadline_seconds: float = Field(
        default=45, gt=0, le=3_600, description="A read that takes longer is given up; the cycle goes on."
    )
    max_bytes: int = Field(
        default=16 * 1024 * 1024, ge=1_000, le=1_000_000_000, description="Longest answer read."
    )

    @field_validator("symbols")
    @classmethod
    def _are_symbols(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        for symbol in symbols:
            if not symbol.isascii() or not all(char.isalnum() or char in "^.-=" for char in symbol):
                raise ValueError(f"{symbol[:40]!r} is not a symbol like AAPL or ^GSPC")
        if len(set(symbols)) < len(symbols):
            raise ValueError("names a symbol twice")
        return symbols

    @field_validator("base_url")
    @classmethod
    def _is_encrypted_or_local(cls, base_url: str | None) -> str | None:
        if base_url is not None:
            check_url(base_url)
            if urlsplit(base_url).scheme != "https" and not is_loopback(base_url):
                raise ValueError("base_url must be https, except on loopback")
        return base_url

    @model_validator(mode="after")
    def _asks_for_what_there_is(self) -> Self:
        reach = _REACH.get(self.interval)
        if reach is not None and self.backfill_days > reach:
            raise ValueError(f"backfill_days must not exceed {reach} with interval {self.interval}")
        return self

    @property
    def width_s(self) -> int:
        """Seconds of a bar."""
        return SECONDS[self.interval]

    @property
    def stale_after(self) -> float | None:
        """Exchanges close over night and at weekends: silence is normal unless configured otherwise."""
        return self.stale_after_seconds
