"""Health and settings, and the first run: can I trust what I see, and what do I do next?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.alert_port import DeliveryState, ReceiverState
from api.dashboard import fmt
from api.dashboard.overview import reasoner_words
from api.doors import Doors
from api.service_port import ConfigurationEntry, Readiness
from domain.cycle import Cycle, SourceHealth
from domain.errors import NotFound

_STRIP = 20


@dataclass(frozen=True, slots=True)
class SourceRow:
    name: str
    kind: str
    status: str
    last: str
    lag: str
    rows: int
    error: str
    next_try: str


@dataclass(frozen=True, slots=True)
class ReceiverRow:
    name: str
    status: str
    waiting: int
    parked: int
    sent: int
    last: str
    error: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a test that a button started."""

    what: str
    ok: bool
    answer: str


@dataclass(frozen=True, slots=True)
class CycleBar:
    id: int
    status: str
    label: str
    height: int


@dataclass(frozen=True, slots=True)
class HealthView:
    sources: list[SourceRow]
    readiness: Readiness
    cycles: list[CycleBar]
    cycle_words: str
    missed: int
    overruns: int
    detectors: list[tuple[str, str, str]]
    storage: str
    series: int
    configuration: Sequence[ConfigurationEntry]
    delivery: DeliveryState
    receivers: list[ReceiverRow]
    model: str
    tried: Tried | None
    troubles: int
    watching: bool
    too_new: int
    needed: int


@dataclass(frozen=True, slots=True)
class DemoView:
    kinds: list[tuple[str, str]]
    more: list[tuple[str, str]]
    sources: list[SourceRow]


def tried(door: Doors, what: str) -> Tried:
    """Try `model`, `source:NAME`, `receiver:NAME`, or what it refused (`again:NAME`); raises NotFound."""
    kind, _, name = what.partition(":")
    if kind == "again":
        n = door.service.alerts.try_again(name)
        return Tried(what=name, ok=True, answer=f"{n} message{'' if n == 1 else 's'} will be tried again")
    if kind == "model":
        found = door.service.check_llm()
    elif kind == "source":
        found = door.service.check_source(name)
    elif kind == "receiver":
        found = door.service.check_receiver(name)
    else:
        raise NotFound("part to try", what)
    took = f" ({fmt.milliseconds(found.ms)})" if found.ms else ""
    return Tried(name or "language model", found.ok, f"{found.answer}{took}")


def health_view(door: Doors, result: Tried | None = None) -> HealthView:
    """Sources, scheduler, delivery, database and configuration; with what a test just answered."""
    now = door.service.now()
    cycles = door.stores.cycles.list(limit=_STRIP).items
    done = [one for one in cycles if one.status == "done"]
    last = done[0] if done else None
    too_new, needed = door.service.warming_up()
    about, delivery = door.service.about(), door.service.alerts.delivery()
    return HealthView(
        sources=source_rows(door, now),
        readiness=door.service.readiness(),
        cycles=[_bar(one, max(map(_seconds, cycles))) for one in reversed(cycles)],
        cycle_words=_cycle_words(last, now),
        missed=sum(one.status == "missed" for one in cycles),
        overruns=sum(_seconds(one) > door.service.step_s for one in cycles),
        detectors=[(one.name, fmt.words(one.status), one.error or "") for one in last.detectors]
        if last
        else [],
        storage=about.storage,
        series=door.stores.series.count(),
        too_new=len(too_new),
        needed=needed,
        watching=bool(door.service.sources()) or door.stores.series.count() > 0,
        configuration=about.configuration,
        delivery=delivery,
        receivers=[_receiver(one, now) for one in delivery.receivers],
        model=reasoner_words(door),
        tried=result,
        troubles=int(delivery.status in {"late", "refusing", "stopped"}),
    )


def demo_view(door: Doors) -> DemoView:
    """The incidents that the demo can inject; empty where this is not the demo."""
    kinds = [(kind, fmt.words(kind).capitalize()) for kind in door.service.demo_kinds()]
    first = [one for one in kinds if one[0] in {"venue_gateway_latency", "pump_and_dump", "stale_feed"}]
    shown = first or kinds[:3]
    return DemoView(shown, [one for one in kinds if one not in shown], source_rows(door, door.service.now()))


def source_rows(door: Doors, now: datetime) -> list[SourceRow]:
    """Each source with its state, the troubled ones first."""
    troubled = {"failed": 0, "stale": 1, "warming_up": 2, "ok": 3}
    found = sorted(door.service.sources(), key=lambda one: (troubled[one.status], one.name))
    last = next(iter(door.stores.cycles.list(limit=1).items), None)
    planned = last.scheduled_for + timedelta(seconds=door.service.step_s) if last else None
    return [_source(one, now, planned) for one in found]


def _source(one: SourceHealth, now: datetime, planned: datetime | None) -> SourceRow:
    return SourceRow(
        name=one.name,
        kind=fmt.words(one.kind),
        status=fmt.words(one.status),
        last=f"{fmt.age(one.last_success_at, now)} ago" if one.last_success_at else "never",
        lag=fmt.MISSING if one.lag_seconds is None else f"{one.lag_seconds:,.0f} s",
        rows=one.samples + one.events,
        error=one.last_error or "; ".join(one.notes),
        next_try=fmt.clock(one.next_try_at or planned, now),
    )


def _receiver(one: ReceiverState, now: datetime) -> ReceiverRow:
    repeats = one.possible_repeats
    repeated = f"{repeats} sent again, perhaps twice" if repeats else ""
    return ReceiverRow(
        name=one.name,
        status=one.status,
        waiting=one.pending,
        parked=one.parked,
        sent=one.sent,
        last=f"{fmt.age(one.last_success_at, now)} ago" if one.last_success_at else "never",
        error=one.last_error or repeated,
    )


def _seconds(cycle: Cycle) -> float:
    if cycle.started_at is None or cycle.finished_at is None:
        return 0.0
    return (cycle.finished_at - cycle.started_at).total_seconds()


def _bar(cycle: Cycle, longest_s: float) -> CycleBar:
    seconds = _seconds(cycle)
    steps = ", ".join(f"{one.name} {fmt.milliseconds(one.ms)}" for one in cycle.steps)
    took = f"{cycle.status}, {seconds:.1f} s{f' ({steps})' if steps else ''}"
    label = f"cycle {cycle.id} at {cycle.scheduled_for:%H:%M}: {took}"
    return CycleBar(cycle.id, cycle.status, label, max(6, round(40 * seconds / (longest_s or 1.0))))


def _cycle_words(last: Cycle | None, now: datetime) -> str:
    if last is None or last.finished_at is None:
        return "No cycle has run yet."
    steps = ", ".join(f"{one.name} {fmt.milliseconds(one.ms)}" for one in last.steps)
    return f"Cycle {last.id} ended {fmt.age(last.finished_at, now)} ago: {last.series} series, {steps}."
