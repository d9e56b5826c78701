"""What every fault of a model does to cycle, diagnosis and chat: `benchmarks/faults.py [--only 500 hang]`.

A desk with an incident under way is simulated once. Per behaviour of the fake model server the real service
runs one cycle over a copy of it (which diagnoses by statistics, and asks the model beside), then answers one
question.
"""

import argparse
import json
import logging
import math
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from chat_world import NOW, incidents

from collectors.simulator.desk import Desk
from collectors.simulator.layout import CELLS, STEP_S, STEPS_PER_DAY
from collectors.simulator.sources import edges, strategies
from collectors.simulator.vocabulary import SERIES
from db.database import Database
from db.samples import SampleStore
from domain.diagnosis import Diagnosis, Usage
from domain.series import SampleBatch, Series, SeriesKey
from evaluation.fake_model.behaviours import BEHAVIOURS
from evaluation.fake_model.server import FakeModelServer
from service.settings import settings_from
from service.wiring import Service, build_service

DAYS = 2
# A part of the desk is enough, and its cycle takes a second.
PART = re.compile(r'venue="bybit"|strategy="mm_btc"|host="trade-1"')
QUESTION = "why did pnl drop?"
PRICE = {"input": 1.0, "output": 4.0}
WAIT_S = 90.0


@dataclass(frozen=True)
class Did:
    """What was done: by whom, in how many calls and seconds, at what cost, and why not otherwise."""

    by: str
    calls: int
    seconds: float
    cost_usd: float | None
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """What one behaviour came to.

    Args:
        behaviour: of the fake model.
        cycle_seconds: how long the cycle took; it waits for no model.
        cycle_status: how it ended.
        diagnosed: incidents with a usable diagnosis at its end, and incidents.
        diagnosis: the look that the model had at the worst incident.
        chat: the answer to the question.
    """

    behaviour: str
    cycle_seconds: float
    cycle_status: str
    diagnosed: tuple[int, int]
    diagnosis: Did
    chat: Did


def build_desk(path: Path, seed: int) -> None:
    """A database with some days of samples, the last of them in trouble."""
    last = int(NOW.timestamp()) // STEP_S
    block = Desk(seed, last - DAYS * STEPS_PER_DAY).advance(DAYS * STEPS_PER_DAY, incidents(seed))
    pnl = [
        Series(0, SeriesKey.of("pnl", {"strategy": s, "venue": v, "symbol": y}), "pnl_data", "USD")
        for s, v, y in CELLS
    ]
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    store = SampleStore(database)
    for series, values in ((SERIES, block.values), (tuple(pnl), block.books.pnl)):
        columns = [c for c, one in enumerate(series) if PART.search(one.name)]
        cells = [(r, c) for r in range(values.shape[0]) for c in columns]
        rows = [
            (series[c], NOW.fromtimestamp(int(block.seconds[r]), NOW.tzinfo), float(values[r, c]))
            for r, c in cells
            if math.isfinite(values[r, c])
        ]
        store.append(SampleBatch.of(rows))
    database.close()


@contextmanager
def service_with(path: Path, llm: Mapping[str, Any]) -> Iterator[Service]:
    """The real service over a copy of the desk."""
    content = {
        "database": {"url": f"sqlite:///{path}"},
        "strategies": strategies(),
        "edges": edges(),
        "llm": dict(llm),
    }
    service = build_service(settings_from(content), clock=lambda: NOW)
    try:
        service.parts.windows.load(NOW)
        service.parts.investigations.start()
        yield service
    finally:
        service.analyst.stop_chat()
        service.parts.investigations.stop()
        service.parts.sources.close()
        service.parts.database.close()


def measure(behaviour: str, desk: Path, folder: Path, timeout_s: float) -> Row:
    """One behaviour over a copy of the desk."""
    path = folder / f"{behaviour}.db"
    shutil.copy(desk, path)
    model = f"fake-{behaviour}"
    with FakeModelServer(behaviour) as server:
        limits = {"timeout_seconds": timeout_s, "chat_timeout_seconds": timeout_s}
        llm = {"model": model, "base_url": server.base_url, "prices": {model: PRICE}, **limits}
        with service_with(path, llm) as service:
            seconds, status, diagnosed = _cycle(service)
            return Row(behaviour, seconds, status, diagnosed, _diagnosis(service), _chat(service))


def _cycle(service: Service) -> tuple[float, str, tuple[int, int]]:
    parts = service.parts
    claimed = parts.claim(NOW)
    assert claimed is not None
    started = time.perf_counter()
    cycle = parts.pipeline.run_cycle(claimed, NOW)
    seconds = time.perf_counter() - started
    found = parts.stores.incidents.list(limit=500).items
    usable = [
        one for one in found if one.diagnosis_id and _is_usable(parts.stores.diagnoses.get(one.diagnosis_id))
    ]
    return seconds, cycle.status, (len(usable), len(found))


def _is_usable(diagnosis: Diagnosis) -> bool:
    return diagnosis.status == "done" and bool(diagnosis.executive_summary) and len(diagnosis.steps) == 6


def _diagnosis(service: Service) -> Did:
    """The model's look at the first incident, which runs beside the cycle."""
    stores = service.parts.stores
    deadline = time.monotonic() + WAIT_S
    while stores.diagnoses.unfinished() and time.monotonic() < deadline:
        time.sleep(0.05)
    asked = [
        one
        for one in stores.diagnoses.list(limit=500).items
        if one.prompt_versions or (one.fallback_reason and "nearly the same" not in one.fallback_reason)
    ]
    if not asked:
        return Did("nobody asked", 0, 0.0, 0.0)
    first = min(asked, key=lambda one: int(one.id.removeprefix("D-")))
    calls = stores.usage.calls(first.id)
    by = (
        "model"
        if first.reasoner == "llm" and _is_usable(first)
        else "statistics"
        if _is_usable(first)
        else "none"
    )
    return Did(by, len(calls), first.analysis_duration, first.usage.cost_usd, first.fallback_reason or "")


def _chat(service: Service) -> Did:
    stores = service.parts.stores
    started = time.perf_counter()
    said = service.analyst.chat(QUESTION, None, "benchmark")
    seconds = time.perf_counter() - started
    run = stores.runs.of_subject(said.thread_id)[-1]
    events = stores.runs.after(run.id)
    ended = events[-1].data
    usage = Usage.model_validate({k: v for k, v in events[-2].data.items() if k != "budget_left_usd"})
    calls = stores.usage.calls(f"{said.thread_id}/{run.id}")
    right = "gateway:bybit" in said.answer or "bybit order gateway" in said.answer
    by = "model" if ended["model"] else "reader" if right else "none"
    return Did(by, len(calls), seconds, usage.cost_usd, ended["fallback_reason"] or "")


def _line(row: Row) -> str:
    def told(did: Did) -> str:
        cost = "unknown" if did.cost_usd is None else f"{did.cost_usd:.5f}"
        return f"{did.by:<10} {did.calls:>2} {did.seconds:>6.2f} {cost:>8}"

    usable, found = row.diagnosed
    cycle = f"{row.cycle_status:<4} {row.cycle_seconds:>5.2f} {usable}/{found}"
    reason = row.diagnosis.reason or row.chat.reason
    return f"{row.behaviour:<15} | {cycle} | {told(row.diagnosis)} | {told(row.chat)} | {reason[:70]}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=sorted(BEHAVIOURS), default=sorted(BEHAVIOURS))
    parser.add_argument(
        "--timeout", type=float, default=15.0, help="deadline of a diagnosis and of an answer"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per behaviour")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if not given.json:
        heads = ("", "cycle, s, told", "diagnosis  calls, s, USD", "chat       calls, s, USD", "why")
        print(f"{heads[0]:<15} | {heads[1]:<14} | {heads[2]:<29} | {heads[3]:<29} | {heads[4]}")
    good = True
    with tempfile.TemporaryDirectory() as folder:
        desk = Path(folder) / "desk.db"
        build_desk(desk, given.seed)
        for behaviour in given.only:
            row = measure(behaviour, desk, Path(folder), given.timeout)
            print(json.dumps(asdict(row)) if given.json else _line(row), flush=True)
            good = good and _kept_promises(row, given.timeout)
    return 0 if good else 1


def _kept_promises(row: Row, timeout_s: float) -> bool:
    """The cycle is done and all its incidents are diagnosed; there is a diagnosis and an answer, in time."""
    usable, found = row.diagnosed
    late = timedelta(seconds=timeout_s + 3.0).total_seconds()
    kept = row.cycle_status == "done" and usable == found > 0
    kept = kept and row.diagnosis.by in {"model", "statistics"} and row.chat.by in {"model", "reader"}
    return kept and row.diagnosis.seconds < late and row.chat.seconds < late


if __name__ == "__main__":
    sys.exit(main())
