"""The `[hooks]` section: who may send webhooks, and what their repositories are called here."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from domain.anomaly import Severity

_SECTION = ConfigDict(frozen=True, extra="forbid")


class HookSecretSettings(BaseModel):
    """Where the secret of a sender stands; never in the configuration itself."""

    model_config = _SECTION

    env: str | None = Field(default=None, min_length=1, description="Environment variable with the secret.")
    file: str | None = Field(
        default=None,
        min_length=1,
        description="File with the secret, one a line while it is being changed; read again on change.",
    )

    @model_validator(mode="after")
    def _comes_from_one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("needs exactly one of env and file")
        return self


class HookSettings(BaseModel):
    """Webhooks of others at `/hooks/...`; without a secret of their own they need an `ingest` token."""

    model_config = _SECTION

    alertmanager: HookSecretSettings | None = Field(
        default=None, description="Signs like `generic`; Alertmanager itself can only send a token."
    )
    grafana: HookSecretSettings | None = Field(
        default=None, description="The HMAC secret of the contact point."
    )
    github: HookSecretSettings | None = Field(default=None, description="The secret of the webhook.")
    gitlab: HookSecretSettings | None = Field(
        default=None, description="The signing token (`whsec_...`) or the secret token of the webhook."
    )
    generic: HookSecretSettings | None = Field(default=None, description="The secret for HMAC signatures.")
    tolerance_seconds: float = Field(
        default=300, gt=0, le=3_600, description="How far the time of a signature may be from ours."
    )
    grafana_timestamp_header: str = Field(
        default="X-Grafana-Alerting-Timestamp",
        pattern=r"^[A-Za-z0-9-]{1,100}$",
        description="The timestamp header that the contact point names, if it names one.",
    )
    components: dict[str, str] = Field(
        default_factory=dict, description="Repository (such as `desk/gateway`) to component; `*` matches."
    )
    branches: tuple[str, ...] = Field(
        default=(), description="Branches whose pushes count; empty: the default one. `*` matches."
    )
    outcome_metric: str = Field(
        default="pnl", min_length=1, description="What is explained where an alert names no known series."
    )
    min_severity: Severity = Field(
        default="low", description="Alerts below it are stored but start no investigation."
    )
    lead_minutes: float = Field(
        default=30, ge=0, le=1_440, description="How long before its alert trouble may have begun."
    )
