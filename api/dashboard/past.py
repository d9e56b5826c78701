"""The history: has this happened before, what was it, how long did it last?"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

from markupsafe import Markup

from api.dashboard import fmt
from api.dashboard.heatmap import heatmap
from api.dashboard.views import cause_words
from api.doors import Doors
from domain.diagnosis import Diagnosis
from domain.incident import Incident

DAYS = {"7d": 7, "28d": 28, "90d": 90, "1y": 365}
_PAGE = 50
_MOST = 5_000
Status = Literal["", "open", "acknowledged", "resolved"]


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; all of it stands in the address."""

    q: str = ""
    status: str = ""
    severity: str = ""
    cause: str = ""
    window: str = "28d"
    page: int = 0

    def address(self, **changes: object) -> str:
        """The same search with something changed."""
        now = {name: getattr(self, name) for name in ("q", "status", "severity", "cause", "window")}
        return f"/history?{urlencode({key: value for key, value in {**now, **changes}.items() if value})}"


@dataclass(frozen=True, slots=True)
class PastRow:
    id: str
    severity: str
    title: str
    started: str
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
    export: str


def history(door: Doors, search: Search) -> History:
    """Incidents of a search, newest first, with counts of what is among them."""
    now = door.service.now()
    start = now - timedelta(days=DAYS[search.window])
    found = list(_incidents(door, start))
    causes = door.stores.diagnoses.causes([one.diagnosis_id for one in found if one.diagnosis_id])
    if search.q:
        said = {
            one.incident_id for one in door.stores.diagnoses.list(q=search.q, start=start, limit=500).items
        }
        words = search.q.lower()
        found = [
            one for one in found if one.id in said or words in f"{one.id} {one.title} {one.assignee}".lower()
        ]
    fits = [one for one in found if _fits(one, causes, search)]
    shown = fits[search.page * _PAGE : (search.page + 1) * _PAGE]
    last = len(fits) <= (search.page + 1) * _PAGE
    return History(
        search=search,
        rows=_rows(door, shown, now),
        total=len(fits),
        capped=len(found) >= _MOST,
        facets=_facets(found, causes, search),
        calendar=heatmap([one.started_at for one in fits], now),
        older=None if last else search.address(page=search.page + 1),
        newer=search.address(page=search.page - 1) if search.page else None,
        export=urlencode(_export(search, start)),
    )


def _incidents(door: Doors, start: datetime) -> Iterator[Incident]:
    cursor, given = None, 0
    while given < _MOST:
        page = door.stores.incidents.list(start=start, limit=500, cursor=cursor)
        yield from page.items
        given, cursor = given + len(page.items), page.next_cursor
        if cursor is None:
            return


def _cause(one: Incident, causes: Mapping[str, str]) -> str:
    return causes.get(one.diagnosis_id or "", "") or "none"


def _fits(one: Incident, causes: Mapping[str, str], search: Search) -> bool:
    return (
        search.status in {"", one.status}
        and search.severity in {"", one.severity}
        and search.cause in {"", _cause(one, causes)}
    )


def _facets(found: Sequence[Incident], causes: Mapping[str, str], search: Search) -> list[Facet]:
    counted: dict[str, Counter[str]] = {
        "status": Counter(one.status for one in found),
        "severity": Counter(one.severity for one in found),
        "cause": Counter(_cause(one, causes) for one in found),
    }
    return [
        Facet(
            name,
            name,
            [
                (
                    fmt.words(value),
                    n,
                    search.address(**{name: "" if getattr(search, name) == value else value}),
                    getattr(search, name) == value,
                )
                for value, n in counts.most_common(12)
            ],
        )
        for name, counts in counted.items()
    ]


def _rows(door: Doors, shown: Sequence[Incident], now: datetime) -> list[PastRow]:
    ids = [one.diagnosis_id for one in shown if one.diagnosis_id]
    diagnoses = door.stores.diagnoses.many(ids)
    verdicts = door.stores.feedback.of_many("diagnosis", ids)
    return [_row(one, diagnoses.get(one.diagnosis_id or ""), verdicts, now) for one in shown]


def _row(
    one: Incident, diagnosis: Diagnosis | None, verdicts: Mapping[str, Sequence[object]], now: datetime
) -> PastRow:
    said = [getattr(verdict, "verdict", "") for verdict in verdicts.get(one.diagnosis_id or "", ())]
    return PastRow(
        id=one.id,
        severity=one.severity,
        title=one.title,
        started=fmt.clock(one.started_at, now),
        lasted=fmt.duration((one.ended_at or now) - one.started_at),
        status=one.status,
        assignee=one.assignee or "",
        impact=fmt.money(one.impact),
        cause=cause_words(diagnosis),
        diagnosis=one.diagnosis_id,
        feedback=fmt.words(said[-1]) if said else fmt.MISSING,
    )


def _export(search: Search, start: datetime) -> dict[str, str]:
    wanted = {"start": start.isoformat().replace("+00:00", "Z")}
    if search.severity:
        wanted["min_severity"] = search.severity
    return wanted
