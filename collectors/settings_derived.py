"""The settings of series that are derived from collected ones."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from domain.errors import InvalidInput
from domain.series import SeriesKey

DerivedKind = Literal[
    "return", "volatility", "ratio_to_usual", "basis", "difference", "divergence", "correlation"
]
_UNITS = {
    "return": "bps",
    "volatility": "bps",
    "ratio_to_usual": "ratio",
    "basis": "bps",
    "difference": "",
    "divergence": "bps",
    "correlation": "ratio",
}
_TWO = frozenset({"basis", "difference"})


def _selects(text: str) -> str:
    try:
        SeriesKey.parse(text)
    except InvalidInput as error:
        raise ValueError(f"{text[:60]!r} is no series: {error.reason}") from None
    return text


Selector = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_selects)]


class DerivedSettings(BaseModel):
    """A metric that follows from series which are collected or pushed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str = Field(
        min_length=1, max_length=200, pattern=r"^[^{}\s]+$", description="Name of the new metric."
    )
    kind: DerivedKind = Field(description="What is computed; see the table.")
    of: Selector = Field(
        description='Series by metric and labels: `price{venue="bybit"}`; all with these labels count.'
    )
    against: Selector | None = Field(
        default=None, description="basis and difference: the other side, matched by `per`."
    )
    per: tuple[str, ...] = Field(
        default=(), description="Labels that series must share to be compared; they become the labels."
    )
    window: int = Field(
        default=48,
        ge=3,
        le=2_000,
        description="Cells that volatility, usual values and correlation look back.",
    )
    labels: Mapping[str, str] = Field(default={}, description="Labels added to the new series.")
    max_series: int = Field(
        default=500, ge=1, le=10_000, description="New series beyond this number are left out."
    )

    @model_validator(mode="after")
    def _has_both_sides(self) -> Self:
        if (self.against is not None) != (self.kind in _TWO):
            need = "needs" if self.kind in _TWO else "takes no"
            raise ValueError(f"{self.kind} {need} `against`")
        if self.metric == SeriesKey.parse(self.of).metric:
            raise ValueError("metric must not be that of the series it is derived from")
        return self

    @property
    def unit(self) -> str:
        """Unit of the new series."""
        return _UNITS[self.kind]
