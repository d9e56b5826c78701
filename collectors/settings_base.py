"""What the settings of every kind of source have in common."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from domain.series import SourceName

EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key", "api-key"})
_UNIT_BY_ENDING = {
    "seconds": "s",
    "ms": "ms",
    "bytes": "bytes",
    "ratio": "ratio",
    "percent": "percent",
    "bps": "bps",
    "usd": "USD",
    "celsius": "celsius",
}
MAX_ANSWER_BYTES = 32 * 1024 * 1024


def _known_zone(name: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - reads files, only where asked for

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone like UTC or Europe/Berlin") from None
    return name


TimeZone = Annotated[str, AfterValidator(_known_zone)]


class SourceBase(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$", description="Name of the source, unique.")
    source: SourceName = Field(
        default="trading_metrics", description="What the data are; chooses default rules and explanations."
    )
    enabled: bool = Field(default=True, description="false leaves the source configured but unread.")
    interval_seconds: float | None = Field(
        default=None, gt=0, le=86_400, description="Shortest time between two reads; default: every cycle."
    )
    step_seconds: int | None = Field(
        default=None, ge=1, le=86_400, description="Width of a grid cell; default: the scheduler's interval."
    )
    deadline_seconds: float = Field(
        default=20, gt=0, le=3_600, description="A read that takes longer is given up; the cycle goes on."
    )
    retries: int = Field(default=2, ge=0, le=10, description="Further tries within one read, with back-off.")
    breaker_failures: int = Field(
        default=3,
        ge=1,
        le=100,
        description="Failed reads in a row after which the source is left alone a while.",
    )
    breaker_max_seconds: float = Field(
        default=600, gt=0, le=86_400, description="Longest time that a failing source is left alone."
    )
    stale_after_seconds: float | None = Field(
        default=None, gt=0, description="Age of the newest data that counts as stale; default: 3 grid cells."
    )
    labels: Mapping[str, str] = Field(default={}, description="Labels added to every series and event.")
    unit: str = Field(
        default="",
        max_length=50,
        description="Unit of all series without one in `units`; else the name's ending tells.",
    )
    units: Mapping[str, str] = Field(default={}, description="Unit by metric name; `*` and `?` match.")
    sources: Mapping[str, SourceName] = Field(
        default={},
        description="`source` by metric name where one source carries several kinds; `*` and `?` match.",
    )
    max_series: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Series of one read beyond this number are refused."
    )
    max_samples: int = Field(
        default=500_000,
        ge=1,
        le=10_000_000,
        description="Samples taken in one read; the rest follows in the next.",
    )

    def source_of(self, metric: str, announced: SourceName | None = None) -> SourceName:
        """What the data of a metric are: as configured by name, else as announced, else as the rest."""
        found = (name for glob, name in self.sources.items() if fnmatchcase(metric, glob))
        return next(found, announced or self.source)

    def unit_of(self, metric: str, announced: str | None = None) -> str:
        """The unit of a metric: configured by name, announced, configured for all, or told by its name."""
        found = (unit for glob, unit in self.units.items() if fnmatchcase(metric, glob))
        return next(found, announced or self.unit or _told_by(metric))

    @property
    def step(self) -> int:
        """Width of a grid cell in seconds."""
        return self.step_seconds or 300

    def with_default_step(self, step_s: int) -> Self:
        """The same settings with the step filled in where none is configured."""
        return self if self.step_seconds else self.model_copy(update={"step_seconds": step_s})

    @property
    def stale_after(self) -> float | None:
        """Seconds without new data after which the source counts as stale; None where silence is normal."""
        return self.stale_after_seconds or 3.0 * max(self.step, self.interval_seconds or 0.0)


class HttpSource(SourceBase):
    """A source reached over HTTP. Secrets come from the environment, never from the file."""

    url: str = Field(default="", max_length=2_000, description="http or https address, without credentials.")
    url_env: EnvironmentName | None = Field(
        default=None,
        description="Environment variable with the address, where the address itself is a secret.",
    )
    bearer_token_env: EnvironmentName | None = Field(
        default=None, description="Environment variable with a token for `Authorization: Bearer`."
    )
    username: str | None = Field(default=None, description="User name for basic authentication.")
    password_env: EnvironmentName | None = Field(
        default=None, description="Environment variable with the password for basic authentication."
    )
    headers: Mapping[str, str] = Field(default={}, description="Further request headers that are no secrets.")
    headers_env: Mapping[str, EnvironmentName] = Field(
        default={}, description="Further request headers: name -> environment variable with the value."
    )
    ca_file: str | None = Field(default=None, description="Certificates to trust instead of the system's.")
    allow_private_addresses: bool = Field(
        default=False,
        description="Allow loopback and private addresses; link-local and metadata addresses stay refused.",
    )
    max_bytes: int = Field(
        default=MAX_ANSWER_BYTES, ge=1_000, le=1_000_000_000, description="Longest answer read, decompressed."
    )

    @model_validator(mode="after")
    def _has_one_address(self) -> Self:
        if bool(self.url) == bool(self.url_env):
            raise ValueError("needs either url or url_env")
        if self.url:
            check_url(self.url)
        secret = [name for name in self.headers if name.lower() in _SECRET_HEADERS]
        if secret:
            raise ValueError(f"the header {secret[0]} is a secret; use bearer_token_env or headers_env")
        return self


def _told_by(metric: str) -> str:
    """The unit that a name ends with, as exporters name their metrics; empty where it tells none."""
    last = metric.removesuffix("_total").rpartition("_")[2]
    return _UNIT_BY_ENDING.get(last, "") if "_" in metric else ""


def check_url(url: str) -> str:
    """Return the address, or raise ValueError where it is not plain http(s) without credentials."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("url must start with http:// or https:// and name a host")
    if parts.username or parts.password:
        raise ValueError("url must not contain credentials; use username and password_env")
    return url
