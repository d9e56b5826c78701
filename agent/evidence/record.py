"""What a ledger holds: facts with ids, one row per component, and what was tested, normal or missing."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.evidence import Evidence
from domain.money import Impact

SignalState = Literal["shifted", "spiked", "silent", "stopped", "frozen"]


class Signal(BaseModel):
    """One series that left its habits: the currency in which causes are compared.

    `z` is the window-matched effect in reference spreads, signed; `hops` the distance to the target in the
    cause graph, None without a path. `lead_seconds` stands only where its interval excludes zero.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    series: str
    component: str
    kind: str
    family: str
    unit: str = ""
    state: SignalState = "shifted"
    direction: Literal["up", "down"]
    z: float
    baseline: float
    value: float
    p_value: float
    q_value: float
    persistence: float
    changed_at: datetime
    lead_seconds: float | None = None
    outcome: bool = False
    evidence_id: str | None = None


class ComponentRow(BaseModel):
    """One component: how odd it is by itself, what explains it, and how likely it is the cause.

    `series` is its strongest; None where it is known from its logs alone.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    component: str
    series: str | None
    score: float
    own: float
    logs: float = 0.0
    explained_by: str | None = None
    hops: int | None = None
    confidence: float = Field(ge=0, le=1)
    p_value: float
    q_value: float
    onset: datetime
    lead_seconds: float | None = None
    evidence_ids: tuple[str, ...] = ()


class LogFinding(BaseModel):
    """A template that burst, appeared or vanished; `template` is untrusted text.

    `component` is the one that it speaks of, `logger` the one that wrote it.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    component: str
    level: str
    template: str
    observed: float
    expected: float
    g: float
    q_value: float
    is_new: bool
    is_error: bool
    logger: str = ""
    quoted: str = ""
    evidence_id: str | None = None


class EventFinding(BaseModel):
    """An event near the onset; `supports` names the odd component that it could have disturbed, if any."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    kind: str
    component: str
    text: str
    timestamp: datetime
    seconds_before_onset: float
    supports: str | None = None
    evidence_id: str | None = None


class Ledger(BaseModel):
    """Everything that may be said about a case; words are made from this and from nothing else.

    The series add up: `tested` = `significant` + the sum of `normal`; `untested` more had too few samples.
    `checked` names, for the components in question, the kinds of series that were tested and found normal.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    targets: tuple[str, ...]
    target_component: str | None
    start: datetime
    end: datetime
    step_s: int
    onset: datetime
    onset_low: datetime
    onset_high: datetime
    onset_estimated: bool
    evidence: tuple[Evidence, ...] = ()
    signals: tuple[Signal, ...] = ()
    logs: tuple[LogFinding, ...] = ()
    events: tuple[EventFinding, ...] = ()
    components: tuple[ComponentRow, ...] = ()
    none_confidence: float = Field(ge=0, le=1)
    calibrated: bool = False
    has_topology: bool = False
    edges: tuple[tuple[str, str], ...] = ()
    impact: Impact | None = None
    tested: int = 0
    significant: int = 0
    normal: dict[str, int] = Field(default_factory=dict)
    checked: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    missing: tuple[str, ...] = ()
    untested: int = 0
    similar: tuple[str, ...] = ()

    def fact(self, evidence_id: str) -> Evidence | None:
        """The fact with an id, or None."""
        return next((one for one in self.evidence if one.id == evidence_id), None)

    def row(self, component: str) -> ComponentRow | None:
        """The row of a component, or None."""
        return next((one for one in self.components if one.component == component), None)
