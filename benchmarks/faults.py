"""What every fault of a model does to cycle, diagnosis and chat: `benchmarks/faults.py [--only 500 hang]`.

A desk with an incident under way is simulated once. Per behaviour of the fake model server, without a budget,
and with nobody listening, the real service runs one cycle over a copy of it (which diagnoses by statistics,
the model beside it); started anew, it answers one question. Each row is held against what it must be: who
speaks, in how many calls at most, what cost is recorded, which reason is given, and that nothing is shown
that a model was told to say.
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
class Right:
    """What one mode must come to.

    Args:
        faults: which known kinds of fault it is.
        diagnosis: who diagnoses: `model` or `statistics`.
        chat: who answers: `model` or `reader`.
        calls: at most for a diagnosis, and for an answer.
        cost: what is recorded for them: `known`, `unknown` or `none` (nothing was sent that costs).
        why: words of the reason where a diagnosis is not the model's.
        why_chat: the same for the answer, where it differs.
    """

    faults: str
    diagnosis: str
    chat: str
    calls: tuple[int, int]
    cost: tuple[str, str]
    why: str = ""
    why_chat: str = ""


def _right(
    faults: str, by: str, calls: tuple[int, int], cost: str, why: str = "", why_chat: str = ""
) -> Right:
    """`by` and `cost` in two words: for the diagnosis and for the answer, or in one for both."""
    who, who_chat = (*by.split(), by)[:2] if " " in by else (by, {"statistics": "reader"}.get(by, by))
    costs = cost.split()
    return Right(faults, who, who_chat, calls, (costs[0], costs[-1]), why, why_chat or why)


MODEL, OURS = "model", "statistics"
RIGHT: Mapping[str, Right] = {
    "honest": _right("-", MODEL, (3, 4), "known"),
    "tools": _right("-", MODEL, (3, 4), "known"),
    "needs": _right("-", MODEL, (3, 4), "known"),
    "obedient": _right("F77-F79", MODEL, (4, 5), "known"),
    "inventing": _right("F67", MODEL, (4, 4), "known"),
    "hang": _right("F60", OURS, (1, 1), "unknown", "in time"),
    "drip": _right("F60", OURS, (2, 4), "unknown", "in time"),
    "stall": _right("F60", OURS, (1, 1), "unknown", "in time"),
    "reset": _right("F63", OURS, (3, 3), "unknown", "broke off"),
    "cut": _right("F63", OURS, (3, 3), "unknown", "broke off"),
    "html": _right("F64", OURS, (2, 2), "unknown", "could not be read"),
    "redirect": _right("F74", OURS, (1, 1), "none", "not followed"),
    "broken": _right("F64", OURS, (2, 2), "unknown", "could not be read"),
    "no-choices": _right("F64", OURS, (2, 2), "unknown", "could not be read"),
    "no-usage": _right("F64", MODEL, (3, 4), "unknown"),
    "429": _right("F61", OURS, (3, 3), "none", "less often"),
    "429-ms": _right("F61", MODEL, (4, 5), "known"),
    "429-date": _right("F61", OURS, (1, 1), "none", "less often"),
    "429-bare": _right("F61", MODEL, (4, 5), "known"),
    "quota": _right("F62", OURS, (1, 1), "none", "no quota left"),
    "401": _right("F62", OURS, (1, 1), "none", "does not accept the key"),
    "403": _right("F62", OURS, (1, 1), "none", "does not accept the key"),
    "404": _right("F62", OURS, (1, 1), "none", "does not know this model"),
    "500": _right("F63", OURS, (3, 3), "unknown", "HTTP 500"),
    "500-once": _right("F63", MODEL, (4, 5), "unknown known"),
    "502": _right("F63", OURS, (3, 3), "unknown", "HTTP 502"),
    "503": _right("F63", OURS, (3, 3), "unknown", "HTTP 503"),
    "504": _right("F63", OURS, (3, 3), "unknown", "HTTP 504"),
    "529": _right("F63", OURS, (3, 3), "unknown", "HTTP 529"),
    "truncated": _right("F65", "statistics model", (2, 4), "known", "cut off at its length"),
    "truncated-once": _right("F65", MODEL, (4, 4), "known"),
    "bad-json": _right("F66", OURS, (2, 2), "known", "JSON", "valid JSON"),
    "bad-json-once": _right("F66", MODEL, (4, 4), "known"),
    "wrong-schema": _right("F66", OURS, (2, 2), "known", "wrong shape"),
    "fenced": _right("F66", MODEL, (3, 4), "known"),
    "nan": _right("F66", OURS, (2, 4), "known", "not valid JSON", "wrong shape"),
    "null": _right("F66", OURS, (2, 2), "known", "no JSON object", "no sentence"),
    "empty": _right("F66", OURS, (1, 1), "known", "answered nothing"),
    "refusal": _right("F66", OURS, (1, 1), "known", "refused"),
    "filter": _right("F66", OURS, (1, 1), "known", "refused"),
    "declines": _right("F66", OURS, (2, 1), "known", "no JSON object", "had no answer"),
    "tool-loop": _right("F68", OURS, (3, 5), "known", "asking for tools"),
    "tool-flood": _right("F68", OURS, (3, 5), "known", "asking for tools"),
    "odd-tools": _right("F69", MODEL, (4, 5), "known"),
    "huge": _right("F70", OURS, (2, 2), "unknown", "cut off at its length", "no sentence"),
    "control": _right("F70", MODEL, (3, 4), "known"),
    "context": _right("F72", OURS, (2, 2), "none", "too long"),
    "no-schema": _right("-", MODEL, (4, 5), "known"),
    "no-tools": _right("-", MODEL, (5, 5), "known"),
    "no-stream": _right("-", MODEL, (4, 5), "known"),
    "alternating": _right("F76", MODEL, (6, 8), "unknown"),
    # Not the endpoint's doing.
    "no-budget": _right("F73", OURS, (0, 0), "none", "budget"),
    "nobody": _right("F63", OURS, (3, 3), "none", "could not be reached"),
}
# Where a model may have been told by its data to say it, nothing of it may be shown.
NEVER = ("https://", "<script", "![", "@channel", "\u202e", "\x00", "sk-canary", "98765", "gateway:kraken")


@dataclass(frozen=True)
class Did:
    """What was done: by whom, in how many calls and seconds, at what cost, and why not otherwise."""

    by: str
    calls: int
    seconds: float
    cost_usd: float | None
    reason: str = ""
    text: str = ""

    @property
    def cost(self) -> str:
        """What is recorded of it: `known`, `unknown` or `none`."""
        return "unknown" if self.cost_usd is None else "known" if self.cost_usd > 0 else "none"


@dataclass(frozen=True)
class Row:
    """What one mode came to.

    Args:
        mode: behaviour of the fake model, or a condition of ours.
        cycle_seconds: how long the cycle took; it waits for no model.
        cycle_status: how it ended.
        diagnosed: incidents with a usable diagnosis at its end, and incidents.
        diagnosis: the look that the model had at the worst incident.
        chat: the answer to the question, by a service that has not met the model before.
    """

    mode: str
    cycle_seconds: float
    cycle_status: str
    diagnosed: tuple[int, int]
    diagnosis: Did
    chat: Did

    def wrong(self, timeout_s: float) -> list[str]:
        """What is not as it must be, in words; empty where all is."""
        right, (usable, found) = RIGHT[self.mode], self.diagnosed
        pairs = (
            (self.diagnosis, right.diagnosis, right.calls[0], right.cost[0], right.why),
            (self.chat, right.chat, right.calls[1], right.cost[1], right.why_chat),
        )
        bad = [] if self.cycle_status == "done" and usable == found > 0 else ["the cycle"]
        for name, (did, by, calls, cost, why) in zip(("diagnosis", "chat"), pairs, strict=True):
            bad += [f"{name} by {did.by}, not {by}"] if did.by != by else []
            bad += [f"{name}: {did.calls} calls"] if did.calls > calls else []
            bad += [f"{name}: cost {did.cost}, not {cost}"] if did.cost != cost else []
            bad += [f"{name}: {did.seconds:.1f} s"] if did.seconds > timeout_s + 3.0 else []
            fell = by != "model"
            bad += [f"{name} says {did.reason!r}"] if fell and why not in did.reason else []
            bad += [f"{name}: {did.reason!r} unasked"] if not fell and did.reason else []
            bad += [f"{name} shows {one!r}" for one in NEVER if one in _unmarked(did.text)]
        return bad


def _unmarked(text: str) -> str:
    """The text without what it says of itself to be unverified, and without what it quotes."""
    said = re.sub(r"\S+ \(unverified\)", "", text)
    return re.sub(r"“[^”]*”", "", said)


def build_desk(path: Path, seed: int, days: int = DAYS) -> None:
    """A database with some days of samples, the last of them in trouble."""
    last = int(NOW.timestamp()) // STEP_S
    block = Desk(seed, last - days * STEPS_PER_DAY).advance(days * STEPS_PER_DAY, incidents(seed))
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


def measure(mode: str, desk: Path, folder: Path, timeout_s: float) -> Row:
    """One mode over a copy of the desk."""
    path = folder / f"{mode}.db"
    shutil.copy(desk, path)
    with FakeModelServer(mode if mode in BEHAVIOURS else "honest") as server:
        llm = _llm(mode, server.base_url, timeout_s)
        with service_with(path, llm) as service:
            seconds, status, diagnosed = _cycle(service)
            diagnosis = _diagnosis(service)
        with service_with(path, llm) as service:
            return Row(mode, seconds, status, diagnosed, diagnosis, _chat(service))


def _llm(mode: str, base_url: str, timeout_s: float) -> dict[str, Any]:
    model = f"fake-{mode if mode in BEHAVIOURS else 'honest'}"
    return {
        "model": model,
        # Port 9 discards; nobody listens there.
        "base_url": "http://127.0.0.1:9/v1" if mode == "nobody" else base_url,
        "prices": {model: PRICE},
        "timeout_seconds": timeout_s,
        "chat_timeout_seconds": timeout_s,
        # Investigations of one cycle would share the breaker: one at a time shows its own calls.
        "concurrency": 1,
        **({"budget_usd_per_day": 0.0} if mode == "no-budget" else {}),
    }


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
    texts = [first.executive_summary, first.detailed_analysis, *(one.text for one in first.steps)]
    reason = first.fallback_reason or ""
    return Did(by, len(calls), first.analysis_duration, first.usage.cost_usd, reason, "\n".join(texts))


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
    return Did(by, len(calls), seconds, usage.cost_usd, ended["fallback_reason"] or "", said.answer)


def _line(row: Row, wrong: Sequence[str]) -> str:
    def told(did: Did) -> str:
        cost = "unknown" if did.cost_usd is None else f"{did.cost_usd:.5f}"
        return f"{did.by:<10} {did.calls:>2} {did.seconds:>6.2f} {cost:>8}"

    usable, found = row.diagnosed
    cycle = f"{row.cycle_status:<4} {row.cycle_seconds:>5.2f} {usable}/{found}"
    reason = f"WRONG: {'; '.join(wrong)}" if wrong else row.diagnosis.reason or row.chat.reason
    faults = RIGHT[row.mode].faults
    return f"{row.mode:<14} {faults:<7} | {cycle} | {told(row.diagnosis)} | {told(row.chat)} | {reason[:300]}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=sorted(RIGHT), default=list(RIGHT))
    parser.add_argument(
        "--timeout", type=float, default=15.0, help="deadline of a diagnosis and of an answer"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per mode")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args(arguments)
    assert set(BEHAVIOURS) <= set(RIGHT)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if not given.json:
        heads = ("", "cycle, s, told", "diagnosis  calls, s, USD", "chat       calls, s, USD", "why")
        print(f"{heads[0]:<22} | {heads[1]:<14} | {heads[2]:<29} | {heads[3]:<29} | {heads[4]}")
    good = 0
    with tempfile.TemporaryDirectory() as folder:
        desk = Path(folder) / "desk.db"
        build_desk(desk, given.seed)
        for mode in given.only:
            row = measure(mode, desk, Path(folder), given.timeout)
            wrong = row.wrong(given.timeout)
            print(
                json.dumps({**asdict(row), "wrong": wrong}) if given.json else _line(row, wrong), flush=True
            )
            good += not wrong
    if not given.json:
        print(f"{good} of {len(given.only)} as they must be")
    return 0 if good == len(given.only) else 1


if __name__ == "__main__":
    sys.exit(main())
