"""Events: timestamped texts with labels, always untrusted data."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from domain.series import SourceName


class Event(BaseModel):
    """A log line, headline, deploy, configuration change or exchange notice.

    `dedupe_key` identifies the same event read twice; an empty one means the store derives it from time,
    source, text and labels.
    """

    model_config = ConfigDict(frozen=True)

    id: int = 0
    timestamp: datetime
    source: SourceName
    text: str = Field(max_length=10_000)
    labels: Mapping[str, str] = Field(default_factory=dict)
    dedupe_key: str = ""

    @property
    def kind(self) -> str:
        """`deploy`, `config_change`, `notice`, `news`, `log`, ... from the label `kind`, else the source."""
        return self.labels.get("kind", self.source)
