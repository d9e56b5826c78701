"""The settings of fills, orders and positions."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from collectors.exchange.settings import VenueSource
from collectors.gate import TimeUnit
from collectors.settings_base import EnvironmentName, SourceBase, TimeZone
from domain.series import SourceName

FILL_FIELDS = frozenset(
    {
        "id",
        "timestamp",
        "strategy",
        "venue",
        "symbol",
        "side",
        "amount",
        "price",
        "fee",
        "fee_currency",
        "funding",
        "mid",
        "arrival_mid",
    }
)
ORDER_FIELDS = frozenset(
    {"id", "timestamp", "strategy", "venue", "status", "amount", "filled", "ack_ms", "acknowledged"}
)
HOLDING_FIELDS = frozenset({"timestamp", "venue", "symbol", "amount", "price"})


class BookSource(SourceBase):
    """What fills from anywhere have in common: how they become money."""

    source: SourceName = Field(default="trading_metrics", description="What the data are, other than PnL.")
    settle_hours: float = Field(
        default=48,
        gt=0,
        le=720,
        description="Fills may come this late or be rewritten; older ones are settled and not read again.",
    )
    backfill_hours: float = Field(
        default=168, ge=0, le=17_520, description="How far back series are written at the first start."
    )
    sharpe_hours: float = Field(
        default=24, gt=0, le=720, description="Window of the rolling Sharpe ratio; at most settle_hours."
    )
    max_fills: int = Field(
        default=300_000, ge=100, le=10_000_000, description="Fills held at a time; more are an error."
    )
    deadline_seconds: float = Field(
        default=45, gt=0, le=3_600, description="A read that takes longer is given up; the cycle goes on."
    )

    @model_validator(mode="after")
    def _holds_a_whole_window(self) -> Self:
        if self.sharpe_hours > self.settle_hours:
            raise ValueError("sharpe_hours must not exceed settle_hours")
        return self

    @property
    def stale_after(self) -> float | None:
        """A desk that does not trade is normal here unless configured otherwise."""
        return self.stale_after_seconds


class FillsSource(BookSource):
    """Fills, orders, positions and marks in files that are dropped into a folder: CSV or Parquet."""

    kind: Literal["fills"]
    paths: tuple[str, ...] = Field(
        min_length=1, description="Files or globs of fills: `.csv`, `.csv.gz` or `.parquet`."
    )
    columns: Mapping[str, str] = Field(
        default={}, description="Fills: our name -> the file's, where they differ."
    )
    order_paths: tuple[str, ...] = Field(default=(), description="Files or globs of orders.")
    order_columns: Mapping[str, str] = Field(default={}, description="Orders: our name -> the file's.")
    position_paths: tuple[str, ...] = Field(
        default=(), description="Files or globs of positions as the venue or the broker reports them."
    )
    position_columns: Mapping[str, str] = Field(default={}, description="Positions: our name -> the file's.")
    mark_paths: tuple[str, ...] = Field(
        default=(), description="Files or globs of prices that positions are valued at."
    )
    mark_columns: Mapping[str, str] = Field(default={}, description="Marks: our name -> the file's.")
    strategy: str = Field(default="desk", description="Strategy of rows that name none.")
    venue: str = Field(default="venue", description="Venue of rows that name none.")
    timezone: TimeZone = Field(default="UTC", description="Time zone of times without an offset.")
    time_unit: TimeUnit = Field(default="s", description="What a numeric time counts since 1970.")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="Between two columns.")
    max_bytes: int = Field(default=32 * 1024 * 1024, ge=10_000, description="Bytes read per page.")

    @field_validator("columns", "order_columns", "position_columns", "mark_columns")
    @classmethod
    def _name_known_fields(cls, columns: Mapping[str, str], info: object) -> Mapping[str, str]:
        known = {"columns": FILL_FIELDS, "order_columns": ORDER_FIELDS}
        allowed = known.get(getattr(info, "field_name", ""), HOLDING_FIELDS)
        unknown = sorted(set(columns) - allowed)
        if unknown:
            raise ValueError(f"{unknown[0]!r} is none of {', '.join(sorted(allowed))}")
        return columns


class AccountSource(BookSource, VenueSource):
    """Fills, orders, positions and balances of an account at a venue, with keys that may only read."""

    kind: Literal["account"]
    symbols: tuple[str, ...] = Field(
        min_length=1, max_length=200, description="ccxt's unified symbols that the account trades."
    )
    api_key_env: EnvironmentName = Field(description="Environment variable with the key.")
    secret_env: EnvironmentName = Field(description="Environment variable with the secret.")
    password_env: EnvironmentName | None = Field(
        default=None, description="Environment variable with the passphrase, where the venue has one."
    )
    strategy: str = Field(default="desk", description="Strategy of fills that no prefix tells.")
    strategies: Mapping[str, str] = Field(
        default={}, description="Strategy by the beginning of the order's own (client) id."
    )
    orders: bool = Field(default=True, description="Read orders: their number, fill and reject ratio.")
    settle_hours: float = Field(
        default=24,
        gt=0,
        le=144,
        description="Fills this old are settled; after a restart the venue is asked for those since.",
    )
    page_rows: int = Field(default=100, ge=10, le=1_000, description="Rows per call.")
