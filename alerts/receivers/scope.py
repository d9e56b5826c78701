"""Which incidents a receiver wants: settings that every receiver has."""

from pydantic import BaseModel, ConfigDict, Field

from domain.anomaly import Severity


class ReceiverSettings(BaseModel):
    """What all receivers share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity_threshold: Severity | None = Field(
        default=None, description="Only incidents of at least this severity; by default that of `[alerts]`."
    )
    match: dict[str, str] = Field(
        default_factory=dict,
        description="Only incidents whose labels (or `metric`, `rule`, `anomaly_type`) fit these patterns.",
    )
