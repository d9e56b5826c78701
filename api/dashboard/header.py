"""The line on top of every page: how fresh is what you see, and can it be trusted."""

from dataclasses import dataclass
from datetime import datetime

from api.auth import OPERATE, Caller
from api.dashboard import fmt
from api.doors import Doors
from domain.cycle import Cycle, SourceHealth


@dataclass(frozen=True, slots=True)
class Header:
    now: datetime
    cycle: str
    sources_ok: int
    sources: int
    warnings: list[str]
    caller: str
    csrf: str
    signed_in: bool
    demo: bool
    may_operate: bool


def header_of(door: Doors, caller: Caller) -> Header:
    """Gather the line."""
    now = door.service.now()
    sources = door.service.sources()
    last = next((one for one in door.stores.cycles.list(limit=20).items if one.finished_at), None)
    return Header(
        now=now,
        cycle=_cycle_words(last, now),
        sources_ok=sum(source.status in {"ok", "warming_up"} for source in sources),
        sources=len(sources),
        warnings=[
            *_cycle_warning(last, now, door.service.step_s),
            *(_source_warning(one, now) for one in _troubled(sources)),
        ],
        caller=caller.name,
        csrf=caller.csrf_token,
        signed_in=caller.by_cookie,
        demo=bool(door.service.demo_kinds()),
        may_operate=caller.role in OPERATE,
    )


def _cycle_words(last: Cycle | None, now: datetime) -> str:
    if last is None or last.finished_at is None:
        return "no cycle yet"
    return f"cycle {last.id}, {fmt.age(last.finished_at, now)} ago"


def _cycle_warning(last: Cycle | None, now: datetime, step_s: int) -> list[str]:
    if last is None or last.finished_at is None:
        return []
    if (now - last.finished_at).total_seconds() <= 2 * step_s:
        return []
    return [f"The last cycle ended {fmt.age(last.finished_at, now)} ago: what you see may be old."]


def _troubled(sources: object) -> list[SourceHealth]:
    found = sources if isinstance(sources, list | tuple) else []
    return [source for source in found if source.status in {"stale", "failed"}]


def _source_warning(source: SourceHealth, now: datetime) -> str:
    since = f" since {fmt.clock(source.last_success_at, now)} UTC" if source.last_success_at else ""
    why = f": {source.last_error}" if source.last_error else ""
    return f"Source {source.name} is {source.status}{since}{why}"
