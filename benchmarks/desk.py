"""The whole flow over the simulated desk: history plus one incident of each kind, cycle by cycle.

Usage: desk.py [--seeds N] [--kinds all|KIND,KIND] [--quiet-hours H] [--details]

The truth of the desk is used for scoring alone. For each seed: a cold start on 14 days of history, a quiet
stretch, then from that state each kind of incident in turn. A series counts as touched by an incident where
it differs from what a twin desk without incidents shows, an anomaly as true where it touches such a series.
Columns: `parts` incidents opened for it, `false` others at medium or above, `once`/`soon`/`last`/`top3` the
cause named at once, within two cycles, at last, and among the first three at last; `chance` a random runbook.
"""

import argparse
import copy
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean, median

from desk_flow import Flow, Seen
from desk_world import STEP, World

from collectors.simulator.incidents import Incident as Truth
from collectors.simulator.kinds import KINDS
from collectors.simulator.schedule import FIRST_KIND
from domain.anomaly import SEVERITIES, severity_rank
from domain.diagnosis import Diagnosis
from prompts.runbook import load_runbooks

START = datetime(2026, 3, 3, tzinfo=UTC)
# What the simulator calls an incident, and which keys of the runbooks name the same cause.
SAME_CAUSE = {kind: frozenset({kind}) for kind in KINDS}
AFTER = 6  # cycles after an incident's end that are still looked at
SOON = 2
UNDER_WAY = "(under way at start)"


@dataclass(frozen=True)
class Score:
    """How one incident fared."""

    kind: str
    seed: int
    opened: int
    delay: int | None
    severity: str
    false: int
    at_once: bool
    soon: bool
    last: bool
    top3: bool
    place: bool
    confidence: float
    impact: float | None
    chance: float
    story: str


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--seeds", type=int, default=2)
    arguments.add_argument("--first-seed", type=int, default=1)
    arguments.add_argument("--kinds", default="all")
    arguments.add_argument("--quiet-hours", type=float, default=12)
    arguments.add_argument("--details", action="store_true")
    given = arguments.parse_args()
    kinds = list(KINDS) if given.kinds == "all" else [one for one in given.kinds.split(",") if one]
    scores: list[Score] = []
    calm: list[tuple[str, list[Seen], float, int]] = []
    began = time.perf_counter()
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        with tempfile.TemporaryDirectory() as folder:
            scores += _one_seed(seed, kinds, given.quiet_hours, Path(folder), calm)
        print(f"seed {seed} done after {time.perf_counter() - began:.0f} s", flush=True)
    if given.details:
        for one in sorted(scores, key=lambda one: one.kind):
            print(f"\n{one.kind} seed {one.seed}: {one.story}")
    if scores:
        _print_scores(scores)
    _print_calm(calm, given.details)


def _one_seed(
    seed: int,
    kinds: Sequence[str],
    quiet_hours: float,
    folder: Path,
    calm: list[tuple[str, list[Seen], float, int]],
) -> list[Score]:
    start = START + timedelta(hours=5 * seed)
    scores: list[Score] = []
    if FIRST_KIND in kinds:
        scores.append(_under_way(seed, start, folder))
    world = World(seed, start, folder)
    flow = Flow.cold(world, folder)
    flow.cycle(0)
    n_series = world.window.view().values.shape[0]
    calm.append(("first day", list(flow.seen.values()), 1.0, n_series))
    known = set(flow.seen)
    for _ in range(round(quiet_hours * 12)):
        world.step()
        flow.cycle()
    fresh = [one for key, one in flow.seen.items() if key not in known]
    calm.append(("quiet", fresh, quiet_hours / 24, n_series))
    base = flow.copied_database(folder / "base.db")
    size = world.log_size()
    for kind in kinds:
        twin, engine, seen = copy.deepcopy((world, flow.engine, flow.seen))
        (folder / "run.db").unlink(missing_ok=True)
        run = Flow(twin, engine, _copied(base, folder / "run.db"), seen)
        run.cycles = flow.cycles
        scores.append(_struck(run, kind, seed))
        run.close()
        world.cut_log(size)
    return scores


def _copied(source: Path, target: Path) -> Path:
    for old in target.parent.glob(f"{target.name}*"):
        old.unlink()
    target.write_bytes(source.read_bytes())
    return target


def _under_way(seed: int, start: datetime, folder: Path) -> Score:
    world = World(seed, start, folder, FIRST_KIND)
    truth = max(world.schedule.incidents(start), key=lambda one: one.start)
    flow = Flow.cold(world, folder)
    flow.cycle(0)
    until = truth.end + AFTER * STEP
    while world.now < until:
        world.step()
        flow.cycle()
    score = _scored(flow, truth, 0, 0, seed, f"{FIRST_KIND} {UNDER_WAY}")
    flow.close()
    return score


def _struck(flow: Flow, kind: str, seed: int) -> Score:
    world, draw = flow.world, random.Random(f"{seed} {kind}")
    targets = KINDS[kind].targets
    at = world.now + timedelta(seconds=draw.uniform(0, 290))
    length = timedelta(minutes=draw.uniform(*KINDS[kind].minutes))
    truth = world.schedule.inject(kind, at.replace(microsecond=0), length, draw.choice(targets))
    known, first = len(flow.seen), flow.cycles
    while world.now < truth.end + AFTER * STEP:
        world.step()
        flow.cycle()
    return _scored(flow, truth, known, first, seed, kind)


def _scored(flow: Flow, truth: Truth, known: int, first: int, seed: int, name: str) -> Score:
    world = flow.world
    until = truth.end + timedelta(hours=1)

    def is_true(one: Seen) -> bool:
        return any(
            anomaly.timestamp >= truth.start - STEP * 2
            and world.is_touched(anomaly.affected_metrics, max(anomaly.timestamp, truth.start), until)
            for anomaly in one.anomalies.values()
        )

    fresh = list(flow.seen.values())[known:]
    mine = [one for one in flow.seen.values() if is_true(one)]
    false = [one for one in fresh if one not in mine and severity_rank(one.incident.severity) >= 1]
    lead = min(mine, key=lambda one: _first_strong(one, truth), default=None)
    diagnoses = [] if lead is None else lead.diagnoses
    told = [one for at, one in diagnoses if lead is not None and at <= max(lead.opened, first) + SOON]
    last = diagnoses[-1][1] if diagnoses else None
    expected = SAME_CAUSE[truth.kind]
    return Score(
        kind=name,
        seed=seed,
        opened=len(mine),
        delay=None if lead is None else max(lead.opened - first, 0),
        severity="-" if lead is None else lead.incident.severity,
        false=len(false),
        at_once=bool(told) and _is_named(told[0], expected, 1),
        soon=bool(told) and _is_named(told[-1], expected, 1),
        last=last is not None and _is_named(last, expected, 1),
        top3=last is not None and _is_named(last, expected, 3),
        place=last is not None and _is_placed(last, truth),
        confidence=last.confidence_score if last is not None else 0.0,
        impact=_impact_error(world, last, truth),
        chance=len(expected) / len(load_runbooks()),
        story="\n".join(_story(one, one is lead, world) for one in mine),
    )


def _first_strong(seen: Seen, truth: Truth) -> tuple[datetime, int]:
    """When an incident first showed a strong anomaly since the truth began: the one that people open."""
    found = [
        one.detected_at
        for one in seen.anomalies.values()
        if severity_rank(one.severity) >= 1 and one.detected_at >= truth.start
    ]
    return min(found, default=datetime.max.replace(tzinfo=UTC)), seen.opened


def _causes(diagnosis: Diagnosis) -> list[str]:
    primary = diagnosis.primary_hypothesis
    ordered = [*((primary,) if primary else ()), *diagnosis.alternative_hypotheses]
    return [one.cause for one in ordered]


def _is_named(diagnosis: Diagnosis, expected: Iterable[str], within: int) -> bool:
    return bool(set(_causes(diagnosis)[:within]) & set(expected))


def _is_placed(diagnosis: Diagnosis, truth: Truth) -> bool:
    """Whether the blamed component is the failing one; a market is also known by its pairs."""
    primary = diagnosis.primary_hypothesis
    named = primary.component if primary is not None else None
    if named is None:
        return False
    pair = named.startswith("pair:") and truth.target in named.removeprefix("pair:").split("-")
    return named in truth.components or (pair and truth.kind == "correlation_breakdown")


def _impact_error(world: World, diagnosis: Diagnosis | None, truth: Truth) -> float | None:
    if diagnosis is None or diagnosis.impact is None:
        return None
    cost = world.cost(truth.start, min(diagnosis.end_time, truth.end))
    return abs(diagnosis.impact.amount - cost) / abs(cost) if abs(cost) > 1 else None


def _story(seen: Seen, is_lead: bool, world: World) -> str:
    incident = seen.incident
    ended = f"{incident.ended_at:%H:%M}" if incident.ended_at else "open"
    title = f"{'*' if is_lead else ' '} {incident.title} [{incident.severity}]"
    lines = [f"{title} {incident.started_at:%d %H:%M}-{ended} opened in cycle {seen.opened}"]
    for at, one in seen.diagnoses:
        ordered = [
            *((one.primary_hypothesis,) if one.primary_hypothesis else ()),
            *one.alternative_hypotheses,
        ]
        named = ", ".join(f"{h.cause}@{h.component} {h.confidence:.2f}" for h in ordered)
        lines.append(f"    cycle {at} {one.outcome} {one.start_time:%H:%M} [{named}]")
    kinds = Counter(
        (
            one.rule,
            one.severity,
            world.is_touched(one.affected_metrics, one.timestamp, one.ended_at or one.detected_at),
        )
        for one in seen.anomalies.values()
    )
    lines.append(f"    {dict(kinds)}")
    return "\n".join(lines)


def _print_scores(scores: Sequence[Score]) -> None:
    head = f"{'kind':44} {'found':>6} {'delay':>5} {'parts':>5} {'sev>=m':>6} {'false':>5}"
    shares = "".join(f"{one:>6}" for one in ("once", "soon", "last", "top3", "place", "conf"))
    print(f"\n{head}{shares} {'impact':>6} {'chance':>6}")
    names = list(dict.fromkeys(one.kind for one in scores))
    for name in [*names, "ALL"]:
        mine = [one for one in scores if name in {one.kind, "ALL"}]
        delays = [one.delay for one in mine if one.delay is not None]
        urgent = mean(one.severity not in {"-", "low"} for one in mine)
        impacts = [one.impact for one in mine if one.impact is not None]
        print(
            f"{name:44} {sum(one.delay is not None for one in mine):3}/{len(mine):<2}"
            f" {median(delays) if delays else float('nan'):5.1f} {mean(one.opened for one in mine):5.1f}"
            f" {urgent:6.2f} {mean(one.false for one in mine):5.1f}"
            f" {mean(one.at_once for one in mine):5.2f} {mean(one.soon for one in mine):5.2f}"
            f" {mean(one.last for one in mine):5.2f} {mean(one.top3 for one in mine):5.2f}"
            f" {mean(one.place for one in mine):5.2f} {mean(one.confidence for one in mine):5.2f}"
            f" {median(impacts) if impacts else float('nan'):6.2f} {mean(one.chance for one in mine):6.2f}"
        )


def _print_calm(calm: Sequence[tuple[str, list[Seen], float, int]], details: bool) -> None:
    print(
        "\nwithout any incident                 per day:  "
        + "".join(f"{one:>9}" for one in SEVERITIES)
        + "   anomalies"
    )
    for name in dict.fromkeys(one[0] for one in calm):
        parts = [one for one in calm if one[0] == name]
        days = sum(one[2] for one in parts)
        seen = [one for part in parts for one in part[1]]
        rates = [sum(one.incident.severity == level for one in seen) / days for level in SEVERITIES]
        per_series = sum(len(one.anomalies) for one in seen) / sum(one[2] * one[3] for one in parts)
        outcomes = Counter(one.diagnoses[-1][1].outcome for one in seen if one.diagnoses)
        print(
            f"{name:20} {days:5.2f} days  incidents          " + "".join(f"{one:9.1f}" for one in rates),
            end="",
        )
        print(f"   {per_series:.3f} per series and day; diagnosed {dict(outcomes)}")
        if details:
            for one in seen:
                print("   ", one.incident.severity, one.incident.title)
                for rule, count in Counter((a.rule, a.severity) for a in one.anomalies.values()).most_common(
                    8
                ):
                    print("          ", *rule, count)


if __name__ == "__main__":
    main()
