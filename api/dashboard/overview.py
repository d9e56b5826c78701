"""The overview: is anything wrong now, how many dollars, is somebody on it, can I trust the data?"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

import numpy as np
from markupsafe import Markup

from api.auth import Caller
from api.dashboard import fmt
from api.dashboard.explore import held_window
from api.dashboard.incident_list import Known, Row, Sort, ordered, row_of
from api.dashboard.svg import sparkline
from api.dashboard.views import IncidentView, incident_view
from api.doors import Doors
from domain.anomaly import SEVERITIES
from domain.cycle import Cycle
from domain.errors import InvalidInput, NotFound
from domain.incident import Incident, IncidentStatus
from domain.money import Impact, losses_and_gains
from domain.series import Window

State = Literal["open", "acknowledged", "resolved", "all"]
PAGE = 30
_DAY = timedelta(hours=24)
_STATUSES: Mapping[State, tuple[IncidentStatus, ...] | None] = {
    "open": ("open", "acknowledged"),
    "acknowledged": ("acknowledged",),
    "resolved": ("resolved",),
    "all": None,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What the reader wants to see; all of it stands in the address."""

    state: State = "open"
    sort: Sort = "severity"
    severity: str = ""
    source: str = ""
    q: str = ""
    page: int = 0
    cursor: str | None = None

    def address(self, **changes: object) -> str:
        """The address of the same choice with something changed, on its first page."""
        wanted = {**asdict(self), "page": 0, "cursor": None, **changes}
        given = {name: value for name, value in wanted.items() if value and value != _USUAL[name]}
        return f"/?{urlencode(given)}" if given else "/"

    @property
    def narrowed(self) -> bool:
        """Whether some incidents are left out by a filter."""
        return bool(self.severity or self.source or self.q)


_USUAL = asdict(Choice())


@dataclass(frozen=True, slots=True)
class Strip:
    """The line of small pictures under the headline."""

    pnl: Markup
    pnl_words: str
    by_severity: list[tuple[str, int]]
    votes: Markup
    votes_words: str
    next_cycle: str


@dataclass(frozen=True, slots=True)
class Overview:
    choice: Choice
    open: int
    unacknowledged: int
    money: str
    money_note: str
    since: datetime | None
    rows: list[Row]
    older: str | None
    preview: IncidentView | None
    previewed: str
    sources: list[str]
    calm: str
    empty_reason: str
    strip: Strip
    resolved: int
    doubted: int
    warming: str
    lacking: int
    reasoner: str


def overview(door: Doors, choice: Choice, caller: Caller, selected: str = "") -> Overview:
    """The list of incidents under one sentence that says whether anything is wrong.

    Beside it stands what is known of the selected incident, of the first one where none is selected.
    """
    open_ones = door.stores.incidents.open()
    now, held = door.service.now(), held_window(door)
    asked, cursor = _asked(door, choice, open_ones)
    known = Known.of(door, asked)
    fits = [one for one in ordered(asked, choice.sort, known.likeness) if _fits(one, known, choice)]
    paged = choice.state in {"open", "acknowledged"}
    shown = fits[choice.page * PAGE : (choice.page + 1) * PAGE] if paged else fits
    cycles = door.stores.cycles.list(limit=40).items
    previewed = selected or (shown[0].id if shown else "")
    return Overview(
        choice=choice,
        open=len(open_ones),
        unacknowledged=sum(one.status == "open" for one in open_ones),
        money=money_words([one.impact for one in open_ones if one.impact is not None]),
        money_note=_money_note(open_ones),
        since=min((one.started_at for one in open_ones), default=None),
        rows=[row_of(door, one, known, held, now) for one in shown],
        older=_older(choice, cursor, more=paged and len(fits) > (choice.page + 1) * PAGE),
        preview=_preview(door, caller, previewed),
        previewed=previewed,
        sources=sorted({name for lead in known.leads.values() for name in lead.data_sources}),
        calm=_calm(door, held),
        empty_reason=_empty_reason(door, held),
        strip=_strip(door, held, open_ones, cycles, now),
        resolved=door.stores.incidents.count_ended(now - _DAY),
        doubted=sum(bool(known.likeness[one.id].rank) for one in fits),
        warming=_warming(door, held),
        lacking=_lacking(cycles),
        reasoner=reasoner_words(door),
    )


def _asked(
    door: Doors, choice: Choice, open_ones: Sequence[Incident]
) -> tuple[Sequence[Incident], str | None]:
    """All that are not resolved, or a page of the others."""
    if choice.state == "open":
        return open_ones, None
    if choice.state == "acknowledged":
        return [one for one in open_ones if one.status == "acknowledged"], None
    page = door.stores.incidents.list(_STATUSES[choice.state], limit=PAGE, cursor=choice.cursor)
    return page.items, page.next_cursor


def _preview(door: Doors, caller: Caller, incident_id: str) -> IncidentView | None:
    try:
        return incident_view(door, incident_id, caller, lanes=2) if incident_id else None
    except (InvalidInput, NotFound):
        return None


def _older(choice: Choice, cursor: str | None, *, more: bool) -> str | None:
    if more:
        return choice.address(page=choice.page + 1)
    return choice.address(cursor=cursor) if cursor else None


def _fits(one: Incident, known: Known, choice: Choice) -> bool:
    lead = known.leads.get(one.id)
    words = f"{one.id} {one.title} {one.assignee or ''} {' '.join(lead.affected_metrics) if lead else ''}"
    return (
        choice.severity in {"", one.severity}
        and (not choice.source or (lead is not None and choice.source in lead.data_sources))
        and choice.q.lower() in words.lower()
    )


def money_words(impacts: Sequence[Impact]) -> str:
    """What was lost and what was gained, each unit apart: dollars and coins do not add up."""
    parts = []
    for unit, (lost, gained) in losses_and_gains(impacts).items():
        parts += [f"lost {fmt.amount(-lost, unit).lstrip('+')}"] if lost <= -0.005 else []
        parts += [f"gained {fmt.amount(gained, unit).lstrip('+')}"] if gained >= 0.005 else []
    return ", ".join(parts)


def _money_note(open_ones: Sequence[Incident]) -> str:
    """What the headline adds up."""
    n = sum(one.impact is not None for one in open_ones)
    if n < 2:
        return "PnL against what was expected since the incident began" if n else ""
    return f"PnL against what was expected over {n} incidents, each strategy counted once, gains not netted"


def reasoner_words(door: Doors) -> str:
    """Who diagnoses: the statistical reasoner, or a model by its name."""
    model = next((one.value for one in door.service.about().configuration if one.key == "llm.model"), "")
    return "statistical" if model in {"", "not set"} else f"language model {model}"


def _strip(
    door: Doors, held: Window, open_ones: Sequence[Incident], cycles: Sequence[Cycle], now: datetime
) -> Strip:
    today = held.between(now.replace(hour=0, minute=0, second=0, microsecond=0), now)
    rows = [i for i, one in enumerate(today.series) if one.key.metric == "pnl"]
    gains = np.cumsum(np.nan_to_num(today.values[rows]).sum(axis=0)) if rows else np.zeros(0)
    unit = today.series[rows[0]].unit if rows else ""
    return Strip(
        pnl=sparkline(gains),
        pnl_words=fmt.amount(float(gains[-1]), unit or "USD") if len(gains) else fmt.MISSING,
        by_severity=[(name, sum(one.severity == name for one in open_ones)) for name in reversed(SEVERITIES)],
        votes=sparkline(np.array([float(one.anomalies) for one in reversed(cycles)])),
        votes_words=str(cycles[0].anomalies) if cycles else fmt.MISSING,
        next_cycle=_next_cycle(cycles, door.service.step_s, now),
    )


def _next_cycle(cycles: Sequence[Cycle], step_s: int, now: datetime) -> str:
    if not cycles:
        return fmt.MISSING
    left = cycles[0].scheduled_for + timedelta(seconds=step_s) - now
    return fmt.duration(left) if left > timedelta(0) else "now"


def _warming(door: Doors, held: Window) -> str:
    """The sources and the series that cannot be judged yet, and from when on all of them can."""
    names = [one.name for one in door.service.sources() if one.status == "warming_up"]
    found, needed = door.service.warming_up()
    rows = [held.positions[one] for one in found if one in held.positions]
    # A log pattern is rare for ever: it is evidence, not something to be judged.
    short = [row for row in rows if held.series[row].source != "system_logs"]
    if short:
        known = np.isfinite(held.values[short]).sum(axis=1).min()
        left = fmt.duration(timedelta(seconds=held.step_s * int(needed - known)))
        names.append(f"{len(short)} series {'needs' if len(short) == 1 else 'need'} {left} more")
    return ", ".join(names)


def _lacking(cycles: Sequence[Cycle]) -> int:
    """How many rules could not judge in the last cycle for want of data."""
    last = next((one for one in cycles if one.status == "done"), None)
    return sum(one.status == "insufficient_data" for one in last.detectors) if last else 0


def _calm(door: Doors, held: Window) -> str:
    """What no open incident means: little, where little can be seen."""
    blind = [one.status in {"failed", "warming_up"} for one in door.service.sources()]
    if not blind and not len(held.series):
        return "Nothing is watched yet"
    if blind and all(blind):
        return "Nothing can be judged now"
    return "Nothing is wrong in what can be seen" if any(blind) else "Nothing is wrong that we know of"


def _empty_reason(door: Doors, held: Window) -> str:
    warming = _warming(door, held)
    if not door.service.sources() and not len(held.series):
        return "No source is configured and nothing was pushed yet, so nothing could be judged."
    if warming:
        return f"Warming up, not judged yet: {warming}."
    return "All series are within what is normal for them."
