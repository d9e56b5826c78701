"""Settings of detection: one default configuration for every series."""

from datetime import date, time

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Session(BaseModel):
    """Trading hours on some days of the week, in the zone of the detection settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: tuple[int, ...] = Field(
        default=(0, 1, 2, 3, 4), min_length=1, description="Days of the week, 0 = Monday."
    )
    opens: time = Field(description="First moment of the session.")
    closes: time = Field(description="First moment after it.")

    @model_validator(mode="after")
    def _ordered(self) -> "Session":
        if any(not 0 <= day <= 6 for day in self.days):
            raise ValueError("days run from 0 (Monday) to 6 (Sunday)")
        if self.opens >= self.closes:
            raise ValueError("a session closes after it opens; write one over midnight as two")
        return self


class DetectionSettings(BaseModel):
    """What a user may set; everything else follows from each series' own history.

    Attributes:
        alarm_budget: false alarms accepted per series and day.
        history_days: days of older data from which baselines learn.
        min_points: finite points that a series needs before it can raise an anomaly.
        false_discovery_rate: share of false finds accepted among the series of one cycle
            (Benjamini-Hochberg); binds where there are many series.
        refractory_seconds: after an anomaly only a stronger one raises a new anomaly for so long.
        settled_seconds: an anomaly whose series has stayed at one new level for so long ends: the level is
            the new normal.
        quiet_steps: grid cells back inside the expected band that end an anomaly.
        timezone: zone in which the time of day and the day of the week are read.
        holidays: days that behave like a Sunday.
        sessions: trading hours; where given, all time outside them has a baseline of its own, as weekends
            have without them.
        max_changepoint_points: longest stretch given to the kernel change-point search; longer ones are
            thinned out evenly.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    alarm_budget: float = Field(default=0.33, gt=0, le=1_000, description="False alarms per series and day.")
    history_days: int = Field(default=28, ge=1, le=400, description="Days that baselines learn from.")
    min_points: int = Field(default=50, ge=10, le=10_000, description="Points before a series is judged.")
    false_discovery_rate: float = Field(default=0.1, gt=0, le=1, description="Across series, per cycle.")
    refractory_seconds: int = Field(default=14_400, ge=0, description="Silence after an anomaly.")
    settled_seconds: int = Field(
        default=7_200, ge=60, description="Time at one new level that makes it the new normal."
    )
    quiet_steps: int = Field(default=3, ge=1, le=1_000, description="Normal cells that end an anomaly.")
    signals: tuple[str, ...] = Field(
        default=("*signal*",),
        description="Metrics that tell how much reason to trade a strategy has; `*` and `?` match."
        " A weak one excuses a strategy without orders.",
    )
    timezone: str = Field(default="UTC", description="Zone of the daily and weekly pattern.")
    holidays: tuple[date, ...] = Field(default=(), description="Days that behave like a Sunday.")
    sessions: tuple[Session, ...] = Field(
        default=(), description="Trading hours (`days`, `opens`, `closes`) with a baseline of their own."
    )
    max_changepoint_points: int = Field(default=2_000, ge=100, description="Bound of the kernel search.")
