"""Settings of sources that bring headlines, notices and calendars."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from collectors.gate import TimeUnit
from collectors.settings_base import HttpSource, TimeZone
from domain.series import SourceName


class NewsFields(BaseModel):
    """Where a JSON answer keeps its items, as JMESPath expressions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: str = Field(default="items", min_length=1, max_length=500, description="The list of items.")
    id: str = Field(default="id", min_length=1, max_length=500, description="Identity of an item.")
    title: str = Field(default="title", min_length=1, max_length=500, description="Its title.")
    summary: str = Field(default="summary", min_length=1, max_length=500, description="Its text.")
    link: str = Field(default="url", min_length=1, max_length=500, description="Its address.")
    time: str = Field(
        default="published_at", min_length=1, max_length=500, description="When it was published."
    )
    time_unit: TimeUnit = Field(default="ms", description="What a numeric time counts since 1970.")
    tags: str = Field(default="tags", min_length=1, max_length=500, description="Tags, a list or one text.")

    @field_validator("items", "id", "title", "summary", "link", "time", "tags")
    @classmethod
    def _is_an_expression(cls, expression: str) -> str:
        import jmespath  # noqa: PLC0415 - only where a path is configured
        from jmespath.exceptions import JMESPathError  # noqa: PLC0415

        try:
            jmespath.compile(expression)
        except JMESPathError as error:
            raise ValueError(f"is not a JMESPath expression: {str(error).splitlines()[0]}") from None
        return expression


class NamedThings(HttpSource):
    """Texts that name symbols and venues."""

    symbols: Mapping[str, tuple[str, ...]] = Field(
        default={}, description="Links items to symbols: symbol -> words, any of which an item contains."
    )
    venues: Mapping[str, tuple[str, ...]] = Field(
        default={}, description="Links items to venues: venue -> words, any of which an item contains."
    )
    known_names: bool = Field(
        default=True, description="Also look for the well-known names of large coins and venues."
    )

    @property
    def stale_after(self) -> float | None:
        """A quiet feed is normal unless configured otherwise."""
        return self.stale_after_seconds


class NewsSource(NamedThings):
    """A feed of headlines or notices: RSS, Atom, JSON Feed, a Statuspage, or any JSON list."""

    kind: Literal["news"]
    source: SourceName = Field(default="news", description="`news` or `events`.")
    format: Literal["feed", "statuspage", "json"] = Field(
        default="feed",
        description="feed: RSS, Atom or JSON Feed; statuspage: `api/v2/incidents.json`; json: see `fields`.",
    )
    fields: NewsFields = Field(default=NewsFields(), description="format json: where things are.")
    event_kind: str = Field(
        default="news", pattern=r"^[a-z_]{1,50}$", description="Label `kind` of the events."
    )
    max_items: int = Field(
        default=200, ge=1, le=5_000, description="Items taken of one answer, newest first."
    )
    max_age_hours: float = Field(default=168, gt=0, description="Older items are left out.")

    @model_validator(mode="after")
    def _has_fields_where_they_count(self) -> Self:
        if self.format != "json" and self.fields != NewsFields():
            raise ValueError("`fields` need format = 'json'")
        return self


class CalendarSource(NamedThings):
    """A calendar of events known in advance, as ICS: economic figures, expiries, maintenance."""

    kind: Literal["calendar"]
    source: SourceName = Field(default="events", description="`news` or `events`.")
    event_kind: str = Field(
        default="calendar", pattern=r"^[a-z_]{1,50}$", description="Label `kind` of the events."
    )
    timezone: TimeZone = Field(default="UTC", description="Zone of times without one, and of whole days.")
    ahead_days: float = Field(default=14, gt=0, le=366, description="How far ahead events are remembered.")
    max_events: int = Field(default=500, ge=1, le=5_000, description="Events remembered, the nearest first.")
    only: tuple[str, ...] = Field(
        default=(), description="Only events that contain one of these words; default: all."
    )
