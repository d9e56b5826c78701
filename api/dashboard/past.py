"""The history: has this happened before, what was it, how long did it last?"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from markupsafe import Markup

from api.dashboard import fmt
from api.dashboard.heatmap import heatmap
from api.dashboard.views import cause_words
from api.doors import Doors
from db.incidents import IncidentHead
from domain.diagnosis import Diagnosis
from domain.feedback import Feedback
from domain.incident import Incident

DAYS = {"7d": 7, "28d": 28, "90d": 90, "1y": 365}
FACETS = ("status", "severity", "cause", "detector", "feedback", "model")
_PAGE = 50
MOST = 5_000


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; all of it stands in the address."""

    q: str = ""
    status: str = ""
    severity: str = ""
    cause: str = ""
    detector: str = ""
    feedback: str = ""
    model: str = ""
    window: str = "28d"
    page: int = 0

    def address(self, path: str = "/history", **changes: object) -> str:
        """The same search with something changed, on its first page."""
        now = {name: getattr(self, name) for name in ("q", *FACETS, "window")}
        return f"{path}?{urlencode({key: value for key, value in {**now, **changes}.items() if value})}"

    @property
    def narrowed(self) -> bool:
        """Whether anything but the window is asked for."""
        return bool(self.q) or any(getattr(self, name) for name in FACETS)


@dataclass(frozen=True, slots=True)
class PastRow:
    id: str
    severity: str
    title: str
    started: datetime
    lasted: str
    status: str
    assignee: str
    impact: str
    cause: str
    diagnosis: str | None
    feedback: str


@dataclass(frozen=True, slots=True)
class Facet:
    name: str
    title: str
    values: list[tuple[str, int, str, bool]]


@dataclass(frozen=True, slots=True)
class History:
    search: Search
    rows: list[PastRow]
    total: int
    capped: bool
    facets: list[Facet]
    calendar: Markup
    older: str | None
    newer: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """The incidents of a window with their facets, and those of them that a search asks for."""

    facets: Mapping[str, Mapping[str, Sequence[str]]]
    all: Sequence[IncidentHead]
    fits: Sequence[IncidentHead]
    start: datetime


def history(door: Doors, search: Search) -> History:
    """Incidents of a search, newest first, with counts of what is among them."""
    found = find(door, search)
    fits = found.fits
    shown = [one.id for one in fits[search.page * _PAGE : (search.page + 1) * _PAGE]]
    last = len(fits) <= (search.page + 1) * _PAGE
    now = door.service.now()
    return History(
        search=search,
        rows=rows_of(door, shown, now),
        total=len(fits),
        capped=len(found.all) >= MOST,
        facets=_facets(door, found, search),
        calendar=heatmap([one.started_at for one in fits], now),
        older=None if last else search.address(page=search.page + 1),
        newer=search.address(page=search.page - 1) if search.page else None,
    )


def find(door: Doors, search: Search) -> Found:
    """Look through the newest incidents of a window; their anomalies are not read."""
    start = door.service.now() - timedelta(days=DAYS[search.window])
    heads = door.stores.incidents.heads(start, MOST)
    wanted = heads
    if search.q:
        said = {
            one.incident_id for one in door.stores.diagnoses.list(q=search.q, start=start, limit=500).items
        }
        words = search.q.lower()
        wanted = [
            one for one in heads if one.id in said or words in f"{one.id} {one.title} {one.assignee}".lower()
        ]
    facets = _values(door, wanted, start)
    fits = [one for one in wanted if _fits(one.id, facets, search)]
    if search.detector:
        seen = door.stores.anomalies.incidents_of_rule(search.detector, start)
        fits = [one for one in fits if one.id in seen]
    return Found(facets, wanted, fits, start)


def _values(
    door: Doors, heads: Sequence[IncidentHead], start: datetime
) -> dict[str, Mapping[str, Sequence[str]]]:
    """For each facet the values of each incident."""
    diagnosed = {one.id: one.diagnosis_id or "" for one in heads}
    causes = door.stores.diagnoses.causes([one for one in diagnosed.values() if one])
    models = door.stores.usage.models(start)
    verdicts: dict[str, set[str]] = {}
    for one in door.stores.feedback.since(start, "diagnosis"):
        verdicts.setdefault(one.target_id, set()).add(one.verdict)
    return {
        "status": {one.id: (one.status,) for one in heads},
        "severity": {one.id: (one.severity,) for one in heads},
        "cause": {one: (causes.get(known) or "none",) for one, known in diagnosed.items()},
        "feedback": {one: sorted(verdicts.get(known, {"none"})) for one, known in diagnosed.items()},
        "model": {one: (models.get(known) or "none",) for one, known in diagnosed.items()},
    }


def _fits(incident_id: str, facets: Mapping[str, Mapping[str, Sequence[str]]], search: Search) -> bool:
    return all(
        not (wanted := getattr(search, name)) or wanted in values[incident_id]
        for name, values in facets.items()
    )


def _facets(door: Doors, found: Found, search: Search) -> list[Facet]:
    """How many there are of each value; the chosen one can be taken back.

    Detectors are counted over the whole window, whatever words are searched for.
    """
    counted = {name: Counter(_each(values)) for name, values in found.facets.items()}
    counted["detector"] = Counter(door.stores.anomalies.incidents_by_rule(found.start))
    shown = []
    for name, counts in counted.items():
        chosen = getattr(search, name)
        if chosen or set(counts) - {"none"}:
            links = [
                (
                    fmt.words(value),
                    n,
                    search.address(**{name: "" if chosen == value else value}),
                    chosen == value,
                )
                for value, n in counts.most_common(12)
            ]
            shown.append(Facet(name, name, links))
    return shown


def _each(values: Mapping[str, Sequence[str]]) -> Iterable[str]:
    return (value for several in values.values() for value in several)


def rows_of(door: Doors, ids: Sequence[str], now: datetime) -> list[PastRow]:
    """Rows in the order of the ids."""
    incidents = door.stores.incidents.many(ids)
    shown = [incidents[one] for one in ids if one in incidents]
    diagnosed = [one.diagnosis_id for one in shown if one.diagnosis_id]
    diagnoses = door.stores.diagnoses.many(diagnosed)
    verdicts = door.stores.feedback.of_many("diagnosis", diagnosed)
    return [_row(one, diagnoses.get(one.diagnosis_id or ""), verdicts, now) for one in shown]


def _row(
    one: Incident, diagnosis: Diagnosis | None, verdicts: Mapping[str, Sequence[Feedback]], now: datetime
) -> PastRow:
    said = [verdict.verdict for verdict in verdicts.get(one.diagnosis_id or "", ())]
    return PastRow(
        id=one.id,
        severity=one.severity,
        title=one.title,
        started=one.started_at,
        lasted=fmt.duration((one.ended_at or now) - one.started_at),
        status=one.status,
        assignee=one.assignee or "",
        impact=fmt.money(one.impact),
        cause=cause_words(diagnosis),
        diagnosis=one.diagnosis_id,
        feedback=fmt.words(said[-1]) if said else fmt.MISSING,
    )
