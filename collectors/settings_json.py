"""The settings of numbers that are read from JSON over HTTP."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from collectors.gate import TimeUnit
from collectors.settings_base import HttpSource, TimeZone
from domain.series import SeriesKind, SourceName


def _is_a_path(text: str) -> str:
    import jmespath  # noqa: PLC0415 - only where a path is configured

    try:
        jmespath.compile(text)
    except jmespath.exceptions.JMESPathError:
        raise ValueError(f"{text[:60]!r} is not a JMESPath expression") from None
    return text


JsonPath = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(_is_a_path)]


class JsonNumber(BaseModel):
    """One number of an answer, or one per row of a list in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str = Field(min_length=1, max_length=200, description="Metric name.")
    value: JsonPath = Field(description="JMESPath of the number, within a row where `rows` is given.")
    rows: JsonPath | None = Field(
        default=None, description="JMESPath of a list; default: the whole answer is one row."
    )
    time: JsonPath | None = Field(
        default=None, description="JMESPath of the time, within a row; default: the time of reading."
    )
    time_unit: TimeUnit = Field(default="s", description="What a numeric time counts since 1970.")
    timezone: TimeZone = Field(default="UTC", description="Time zone of times without an offset.")
    labels: Mapping[str, str] = Field(default={}, description="Labels of the series.")
    label_paths: Mapping[str, JsonPath] = Field(
        default={}, description="Labels from the answer: name -> JMESPath within a row."
    )
    factor: float = Field(default=1, description="The number is multiplied by it, such as 10000 for bps.")
    kind: SeriesKind = Field(default="gauge", description="`counter` for a value that only ever grows.")
    unit: str | None = Field(default=None, max_length=50, description="Unit of the values.")
    step_seconds: int | None = Field(
        default=None, ge=1, le=86_400, description="Width of a grid cell, where it differs: 86400 for daily."
    )


class JsonSource(HttpSource):
    """Numbers in the JSON that an address answers."""

    kind: Literal["json"]
    source: SourceName = Field(default="market_data", description="What the data are.")
    numbers: tuple[JsonNumber, ...] = Field(min_length=1, max_length=200, description="What is read.")
    max_rows: int = Field(default=10_000, ge=1, le=1_000_000, description="Rows taken of one list.")
