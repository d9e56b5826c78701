"""Two incidents side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.dashboard import fmt
from api.dashboard.views import cause_words, confidence_words, diagnosis_of, members
from api.doors import Doors
from domain.incident import Incident


@dataclass(frozen=True, slots=True)
class Compared:
    """One column; `facts` are pairs of a name and what it is here."""

    id: str
    title: str
    severity: str
    facts: list[tuple[str, str]]
    series: list[str]
    shared: set[str]


def compared(door: Doors, ids: Sequence[str]) -> list[Compared]:
    """A column per incident; raises NotFound."""
    found = [door.stores.incidents.get(one) for one in ids]
    series = [_series(door, one) for one in found]
    shared = set(series[0]).intersection(*series[1:]) if len(series) > 1 else set()
    now = door.service.now()
    return [_column(door, one, names, shared, now) for one, names in zip(found, series, strict=True)]


def _series(door: Doors, incident: Incident) -> list[str]:
    return list(dict.fromkeys(name for one in members(door, incident) for name in one.affected_metrics[:1]))


def _column(door: Doors, one: Incident, names: list[str], shared: set[str], now: datetime) -> Compared:
    diagnosis = diagnosis_of(door, one)
    facts = [
        ("began", f"{fmt.clock(one.started_at, now)} UTC"),
        ("lasted", fmt.duration((one.ended_at or now) - one.started_at)),
        ("status", one.status),
        ("impact", fmt.money(one.impact)),
        ("cause", cause_words(diagnosis)),
        ("confidence", confidence_words(diagnosis)),
        ("anomalies", str(len(one.anomaly_ids))),
        ("taken by", one.assignee or fmt.MISSING),
    ]
    return Compared(one.id, one.title, one.severity, facts, names, shared)
