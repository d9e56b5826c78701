"""`analyst root-cause`: rank causes for stored cases, one JSON line each."""

import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TextIO

import typer

if TYPE_CHECKING:
    from agent.evidence.case import Case, LogCounts, LogSummary
    from agent.evidence.record import ComponentRow, Ledger
    from collectors.cases import StoredCase


# `None of these` must be more likely than all components together before a case counts as inconclusive.
INCONCLUSIVE = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """How to look at cases: with their graph or without, at the alarm, with edges missing."""

    topology: bool = True
    at_alarm: bool = False
    drop_edges: float = 0.0
    seed: int = 0


def root_cause(
    cases: Annotated[list[Path], typer.Argument(metavar="CASE...", help="Case folders, or folders of them.")],
    out: Annotated[Path | None, typer.Option(help="Write JSON lines here instead of to stdout.")] = None,
    no_topology: Annotated[bool, typer.Option("--no-topology", help="Ignore the cause graph.")] = False,
    at_alarm: Annotated[
        bool, typer.Option("--at-alarm", help="Use data up to the alarm only and estimate the onset.")
    ] = False,
    drop_edges: Annotated[float, typer.Option(help="Share of edges to remove at random.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of that removal.")] = 0,
) -> None:
    """Rank the likely causes of stored cases, best first, with calibrated confidences."""
    if not 0 <= drop_edges <= 1:
        _refuse("--drop-edges: must be between 0 and 1")
    options = Options(not no_topology, at_alarm, drop_edges, seed)
    try:
        if out is None:
            skipped = _write(cases, options, sys.stdout)
        else:
            with out.open("w", encoding="utf-8") as stream:
                skipped = _write(cases, options, stream)
    except OSError as error:
        _refuse(f"{error.filename or out}: {error.strerror or error}")
    if skipped:
        print(f"skipped {skipped} cases without an alarm", file=sys.stderr)


def _refuse(reason: str) -> NoReturn:
    print(" ".join(reason.split()), file=sys.stderr)
    raise typer.Exit(2)


def _write(paths: Sequence[Path], options: Options, stream: TextIO) -> int:
    """Write one line per case and return how many were skipped for want of an alarm."""
    from domain.errors import InvalidInput  # noqa: PLC0415 - `--help` must not pay for numpy

    skipped = 0
    try:
        for path, stored in _stored(paths):
            if options.at_alarm and stored.alarm is None:
                skipped += 1
                continue
            print(json.dumps(analyse(path, stored, options), allow_nan=False), file=stream, flush=True)
    except InvalidInput as error:
        _refuse(str(error))
    return skipped


def _stored(paths: Sequence[Path]) -> "Iterator[tuple[Path, StoredCase]]":
    from collectors.cases import find_cases, read_case  # noqa: PLC0415

    for path in paths:
        for folder in find_cases(path):
            yield folder, read_case(folder)


def analyse(path: Path, stored: "StoredCase", options: Options) -> dict[str, Any]:
    """The JSON object of one case; `seconds` is the CPU time of the diagnosis, reading not included."""
    from agent.evidence.ledger import gather  # noqa: PLC0415
    from agent.evidence.settings import EvidenceSettings  # noqa: PLC0415

    case = to_case(stored, options)
    started = time.process_time()
    ledger = gather(case, EvidenceSettings(max_components=0))
    seconds = time.process_time() - started
    impact = ledger.impact if _money_target(ledger) else None
    return {
        "case": str(path),
        "ranking": [_row(row, stored, ledger) for row in ledger.components],
        "none_confidence": ledger.none_confidence,
        "inconclusive": ledger.none_confidence >= INCONCLUSIVE,
        "impact": None
        if impact is None
        else {"amount": -impact.amount, "low": -impact.high, "high": -impact.low},
        "tested": ledger.tested,
        "significant": ledger.significant,
        "seconds": seconds,
    }


def _money_target(ledger: "Ledger") -> bool:
    return any(fact.kind == "impact" and set(ledger.targets) & set(fact.series) for fact in ledger.evidence)


def _row(row: "ComponentRow", stored: "StoredCase", ledger: "Ledger") -> dict[str, Any]:
    facts = [fact for fact in map(ledger.fact, row.evidence_ids) if fact is not None]
    return {
        "series": stored.columns[row.series] if row.series else f"{row.component}|log_lines",
        "component": row.component,
        "score": row.score,
        "confidence": row.confidence,
        "p_value": row.p_value,
        "q_value": row.q_value,
        "onset": row.onset.timestamp(),
        "lead_seconds": row.lead_seconds,
        "evidence": [fact.statement for fact in facts],
    }


def to_case(stored: "StoredCase", options: Options) -> "Case":
    """A stored case as the evidence engine wants it; its `end` counts as the last row that is used."""
    from agent.evidence.case import Case  # noqa: PLC0415
    from domain.topology import Topology  # noqa: PLC0415

    window = stored.window
    last = stored.alarm if options.at_alarm else stored.end
    end = window.time_at(window.column_of(last) + 1) if last else window.end
    onset = None if options.at_alarm else stored.onset
    start = onset or stored.alarm or end - timedelta(seconds=window.step_s)
    edges = list(stored.cause_edges) if options.topology else []
    if options.drop_edges:
        kept = round(len(edges) * (1 - options.drop_edges))
        edges = random.Random(options.seed).sample(edges, kept)  # noqa: S311 - a repeatable draw, no secret
    names = {column: name for name, column in stored.columns.items()}
    return Case(
        targets=(names[stored.target],) if stored.target else (),
        start=min(start, end - timedelta(seconds=window.step_s)),
        end=end,
        window=window,
        onset=onset,
        alarm=stored.alarm,
        topology=Topology.of(edges),
        target_is_symptom=True,
        logs=_logs(stored),
        events=stored.events,
    )


def _logs(stored: "StoredCase") -> "list[LogCounts | LogSummary]":
    import numpy as np  # noqa: PLC0415

    from agent.evidence.case import LogCounts, LogSummary  # noqa: PLC0415
    from domain.timestamps import to_microseconds  # noqa: PLC0415

    counts: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    for one in stored.logs:
        key = (one.component, one.level, one.template)
        counts.setdefault(key, []).append((to_microseconds(one.timestamp), one.count))
    timed: list[LogCounts | LogSummary] = [
        LogCounts(*key, np.array([at for at, _ in rows]), np.array([count for _, count in rows]))
        for key, rows in sorted(counts.items())
    ]
    summed = [
        LogSummary(
            one.component,
            one.level,
            one.template,
            one.count_window,
            one.minutes_window,
            one.count_reference,
            one.minutes_reference,
        )
        for one in stored.log_summary
    ]
    return [*timed, *summed]
