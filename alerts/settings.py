"""The `[alerts]` section: when somebody is told, and by which receivers."""

from datetime import UTC, datetime, time
from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from alerts.receivers.email import EmailSettings
from alerts.receivers.pagerduty import PagerDutySettings
from alerts.receivers.webhook import WebhookSettings
from alerts.slack.settings import SlackSettings
from domain.anomaly import Severity

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Keys that the environment may set and the configuration file must not.
SECRET_KEYS = (
    "slack.bot_token",
    "slack.webhook_url",
    "slack.signing_secret",
    "slack.app_token",
    "email.password",
    "pagerduty.routing_key",
)
_SECTION = ConfigDict(frozen=True, extra="forbid")


class QuietHours(BaseModel):
    """Hours in which only critical incidents are sent; the rest comes as one digest at their end."""

    model_config = _SECTION

    start: time = Field(description="Local time at which they begin, such as `22:00`.")
    end: time = Field(description="Local time at which they end; before `start` means the next morning.")
    timezone: str = Field(default="UTC", description="IANA name, such as `Europe/Berlin`.")
    days: tuple[Weekday, ...] = Field(default=WEEKDAYS, description="Days on which they begin.")

    @field_validator("timezone")
    @classmethod
    def _timezone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is no time zone") from None
        return name

    @model_validator(mode="after")
    def _have_a_length(self) -> Self:
        if self.start == self.end:
            raise ValueError("quiet hours must not start and end at the same time")
        return self


class Maintenance(BaseModel):
    """A planned window; what happens in it to matching series comes as one digest at its end."""

    model_config = _SECTION

    name: str = Field(min_length=1, max_length=100, description="Shown in the reason.")
    start: AwareDatetime = Field(description="Begin, with an offset.")
    end: AwareDatetime = Field(description="End, with an offset.")
    match: dict[str, str] = Field(
        default_factory=dict,
        description="Labels (or `metric`, `rule`, `anomaly_type`) to patterns like `bybit*`; none = all.",
    )

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"the maintenance window {self.name!r} ends before it starts")
        return self

    def covers(self, now: datetime) -> bool:
        """Whether the instant lies in the window."""
        return self.start <= now < self.end

    def end_utc(self) -> datetime:
        """Its end, in UTC."""
        return self.end.astimezone(UTC)


class AlertSettings(BaseModel):
    """When somebody is told; a critical incident is never held back."""

    model_config = _SECTION

    severity_threshold: Severity = Field(default="medium", description="Incidents below it are not sent.")
    max_alerts_per_hour: int = Field(
        default=10,
        ge=0,
        le=10_000,
        description="New messages per receiver and hour; the rest goes into one digest.",
    )
    cooldown_minutes: float = Field(
        default=30,
        ge=0,
        le=10_080,
        description="A rule that fires again on the same series within it joins the earlier message.",
    )
    digest_seconds: float = Field(
        default=15, ge=0, le=60, description="How long a new digest collects before it is sent."
    )
    settle_seconds: float = Field(
        default=2,
        ge=0,
        le=60,
        description="How long a message that cannot be edited waits for the diagnosis to come along.",
    )
    late_after_minutes: float = Field(
        default=360, gt=0, description="Incidents that ended longer ago than this come as a digest."
    )
    escalate_after_minutes: float = Field(
        default=0,
        ge=0,
        le=10_080,
        description="Minutes without an acknowledgement after which the first of `escalate_to` is told, "
        "then after as many more the next; 0: nobody is.",
    )
    escalate_to: tuple[str, ...] = Field(
        default=(),
        max_length=10,
        description="Receivers, one per step: `slack`, `email`, `pagerduty`, `webhook:NAME`, or another "
        "channel of the bot, such as `slack:C0123456789`.",
    )
    escalate_severity: Severity = Field(
        default="high", description="Only incidents of at least this severity are escalated."
    )
    quiet_hours: tuple[QuietHours, ...] = Field(
        default=(), description="When only critical incidents are sent."
    )
    maintenance: tuple[Maintenance, ...] = Field(default=(), description="Planned windows.")
    dashboard_url: str = Field(
        default="http://127.0.0.1:8000",
        pattern=r"^https?://[^\s<>|\"'`]+$",
        description="Where links in messages lead to.",
    )
    timeout_seconds: float = Field(default=10, gt=0, le=60, description="Deadline of one call to a receiver.")
    allow_hosts: tuple[str, ...] = Field(
        default=(), description="Hosts that may be called although they are private, such as `127.0.0.1`."
    )
    lease_seconds: float = Field(
        default=120,
        ge=5,
        le=3_600,
        description="How long a worker owns what it claimed; at least thrice `timeout_seconds`.",
    )
    slack: SlackSettings | None = None
    webhook: tuple[WebhookSettings, ...] = ()
    email: EmailSettings | None = None
    pagerduty: PagerDutySettings | None = None

    @model_validator(mode="after")
    def _escalations_have_a_time(self) -> Self:
        if bool(self.escalate_to) != bool(self.escalate_after_minutes):
            raise ValueError("escalate_to and escalate_after_minutes need each other")
        return self

    @model_validator(mode="after")
    def _a_call_ends_within_its_lease(self) -> Self:
        # A call may begin until half of the lease is over, and another worker sends again what it outlives.
        if self.lease_seconds < 3 * self.timeout_seconds:
            raise ValueError("lease_seconds must be at least thrice timeout_seconds")
        return self

    @field_validator("webhook")
    @classmethod
    def _names_are_unique(cls, items: tuple[WebhookSettings, ...]) -> tuple[WebhookSettings, ...]:
        names = [item.name for item in items]
        if len(names) != len(set(names)):
            raise ValueError("two webhooks have the same name")
        return items
