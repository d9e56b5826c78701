"""Weights and limits of the evidence engine: fixed, few, and each with its reason."""

from pydantic import BaseModel, ConfigDict, Field


class EvidenceSettings(BaseModel):
    """How facts are computed and weighed; the defaults were fixed once and are the same for every system."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    onset_lookback_minutes: float = Field(
        45.0, gt=0, description="how far before the alarm an onset is looked for"
    )
    min_reference: int = Field(
        8, ge=3, description="finite reference samples below which a series is not tested"
    )
    max_z: float = Field(60.0, gt=0, description="effects beyond this say nothing more")
    significance: float = Field(0.05, gt=0, lt=1, description="q below which a series counts as shifted")
    notable: float = Field(0.10, gt=0, lt=1, description="q below which a series is still mentioned")
    peer_floor: float = Field(
        0.25, ge=0, description="share of its peers' spread below which no spread is believed"
    )
    level_floor: float = Field(
        0.01, ge=0, description="share of its own level below which no spread is believed"
    )
    off_graph: float = Field(
        0.8, gt=0, le=1, description="damping of components without a path to the target"
    )
    explain_away: float = Field(
        0.6, ge=0, le=1, description="share of a score that an anomalous cause takes away"
    )
    credit: float = Field(0.5, ge=0, le=1, description="share of what it takes away that the cause gains")
    log_weight: float = Field(1.6, ge=0, description="weight of the log of a template's G statistic")
    witness_weight: float = Field(
        0.4, ge=0, le=1, description="weight of the logs of a component whose own measurements are normal"
    )
    dependency_weight: float = Field(
        0.6, ge=0, le=1, description="weight of what a component sees of those it calls: it tells about them"
    )
    change_weight: float = Field(
        1.5, ge=0, description="added where an odd component was deployed or configured at the onset"
    )
    report_weight: float = Field(
        0.4,
        ge=0,
        le=1,
        description="weight of what reports on others: log volume, a still market",
    )
    harmless_weight: float = Field(
        0.8,
        ge=0,
        le=1,
        description="weight of a move in the direction that does no harm, such as a falling latency",
    )
    echo_weight: float = Field(
        12.0, ge=0, description="weight of correlation with the target where most components share its metric"
    )
    accounted_weight: float = Field(
        1.5, ge=0, description="weight of the share of such echoes that a component accounts for"
    )
    temperature: float = Field(
        0.30, gt=0, description="of the softmax that turns scores into confidences; fitted on labelled cases"
    )
    temperature_without_graph: float = Field(
        0.70, gt=0, description="the same where no cause graph tells causes from effects"
    )
    none_score: float = Field(3.8, description="score of `none of these` in that softmax")
    calibrated: bool = Field(
        default=False, description="whether temperature and none score fit this desk's feedback"
    )
    max_evidence: int = Field(60, ge=5, description="most facts kept in a ledger")
    max_components: int = Field(60, ge=0, description="most components kept in a ledger; 0 keeps all")
    impact_inflation: float = Field(1.3, ge=1, description="conformal factor on the impact interval")
