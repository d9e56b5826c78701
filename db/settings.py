"""Settings of this room."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

_FROZEN = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(BaseModel):
    """How to reach the database; `url` is a SQLAlchemy URL."""

    model_config = _FROZEN

    url: str = Field(
        default="sqlite:///analyst.db",
        description="sqlite:///PATH or postgresql://USER@HOST/NAME; passwords belong in the environment",
    )
    busy_timeout_seconds: float = Field(
        default=5.0, gt=0, le=300, description="how long to wait for a lock before answering 'try again'"
    )
    pool_size: int = Field(default=20, ge=1, le=500, description="connections kept open")
    pool_timeout_seconds: float = Field(
        default=5.0, gt=0, le=300, description="how long to wait for a free connection"
    )
    quick_check_max_mb: int = Field(
        default=1_000, ge=0, description="SQLite files up to this size are checked for damage at start"
    )
    max_series: int = Field(default=50_000, ge=1, description="series that may be registered")
    group_commit: bool = Field(
        default=True, description="let concurrent ingest requests share one commit to disk"
    )
    journal_samples: int = Field(
        default=250_000, ge=0, description="samples that stay in the journal after they were compacted"
    )


class RetentionPolicy(BaseModel):
    """What is kept and for how long; `max_size_mb` drops the oldest samples and events first."""

    model_config = _FROZEN

    samples_days: float = Field(default=90, gt=0, description="days that samples are kept")
    events_days: float = Field(default=90, gt=0, description="days that events are kept")
    anomalies_days: float = Field(
        default=365, gt=0, description="days that resolved anomalies and incidents are kept"
    )
    diagnoses_days: float = Field(default=365, gt=0, description="days that diagnoses and chats are kept")
    runs_days: float = Field(default=30, gt=0, description="days that step-by-step run logs are kept")
    cycles_days: float = Field(default=30, gt=0, description="days that cycles and sent alerts are kept")
    max_size_mb: float | None = Field(default=None, gt=0, description="size cap of the database")

    def age(self, kind: str) -> timedelta:
        """The age limit of one kind: `samples`, `events`, `anomalies`, `diagnoses`, `runs` or `cycles`."""
        return timedelta(days=float(getattr(self, f"{kind}_days")))
