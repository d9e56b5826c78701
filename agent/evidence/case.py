"""A case: everything that the evidence engine may look at, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from domain.errors import InvalidInput
from domain.event import Event
from domain.series import IntArray, Window
from domain.topology import Topology


@dataclass(frozen=True, slots=True)
class LogCounts:
    """How often one log template was seen, over time.

    Args:
        component: who logged it.
        level: `ERROR`, `WARN`, `INFO`, ...
        template: the constant part of the line; untrusted text.
        timestamps: shape (n,), microseconds since 1970, of the counting intervals.
        counts: shape (n,), lines per interval; intervals without lines may be left out.
        told: detection told of it as new or bursting: it is asked about, and not picked out of many.
        quoted: such a line as it was written, where one was kept; untrusted text.
    """

    component: str
    level: str
    template: str
    timestamps: IntArray
    counts: IntArray
    told: bool = False
    quoted: str = ""


@dataclass(frozen=True, slots=True)
class LogSummary:
    """How often one log template was seen inside the window and outside it, where no times are kept."""

    component: str
    level: str
    template: str
    count_window: float
    minutes_window: float
    count_reference: float
    minutes_reference: float


@dataclass(frozen=True, slots=True)
class PastIncident:
    """An earlier incident whose cause somebody confirmed."""

    id: str
    cause: str
    component: str | None
    affected_metrics: tuple[str, ...]
    when: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """What to explain, and the data to explain it with.

    Args:
        targets: canonical names of the series that are to be explained, the leading one first; may be empty.
        start: where the incident's window starts; the onset is looked for around it.
        end: the end of the window (exclusive).
        window: all series on one grid, with reference history before `start`.
        onset: when it began, where that is known; else it is estimated.
        alarm: when somebody noticed; later data are used too unless `end` says otherwise.
        began_by: when it had begun at the latest; an onset is not estimated later.
        topology: the cause graph; empty where none is configured.
        target_component: the component to explain, where the targets' names do not say it.
        logs: template counts, with times or summed.
        events: deploys, changes, notices and headlines around the window.
        past: confirmed incidents of the past.
        target_is_symptom: the targets, and other views of them on their component, may not be the cause;
            set where it is known that they only show it. Money never is a cause.
        excluded: earlier windows that held incidents themselves, kept out of the reference.
        now: the moment of the investigation; `end` where it is not given.
        late: cells at the end that are usually not there yet, by name of the series; they are no silence.
    """

    targets: tuple[str, ...]
    start: datetime
    end: datetime
    window: Window
    onset: datetime | None = None
    alarm: datetime | None = None
    began_by: datetime | None = None
    topology: Topology = field(default_factory=Topology)
    target_component: str | None = None
    logs: Sequence[LogCounts | LogSummary] = ()
    events: Sequence[Event] = ()
    past: Sequence[PastIncident] = ()
    target_is_symptom: bool = False
    excluded: Sequence[tuple[datetime, datetime]] = ()
    now: datetime | None = None
    late: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise InvalidInput("start", "and end must have an offset")
        if self.end <= self.start:
            raise InvalidInput("end", "must be after the start")
