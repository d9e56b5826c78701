"""How often the cause is ranked first, by data set and fault kind, with intervals and a random control.

    python benchmarks/root_cause.py CASES [--no-topology] [--at-alarm] [--drop-edges SHARE] [--runs N]

CASES is a folder of data sets, each a folder of case folders. Labels are read from each case's meta.json
here and nowhere else: `ground_truth_component` (a name, a list of names of which any counts, or `none`),
`fault_type` and `impact_usd`. `ece_of_perfect_calibration` is the error (median and 95 % quantile) that as
many cases would show if every confidence were true. Intervals are 90 % percentile intervals over 2,000
bootstrap samples of cases.
"""

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from collectors.cases import find_cases, read_case
from domain.series import FloatArray
from service.commands.root_cause import Options, analyse

RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case as it was judged: rank of the truth from 1, infinite where it is not listed."""

    dataset: str
    fault: str
    none: bool
    rank: float
    chance: tuple[float, float, float]
    confidence: float
    right: bool
    none_confidence: float
    impact_error: float | None
    covered: bool | None
    significant: int
    tested: int
    seconds: float


def judge(case: Path, options: Options) -> Outcome | None:
    """Analyse one case and compare with its labels; None where it has no alarm and one is asked for."""
    stored = read_case(case)
    if options.at_alarm and stored.alarm is None:
        return None
    labels = json.loads((case / "meta.json").read_text(encoding="utf-8"))
    line = analyse(case, stored, options)
    truth = labels["ground_truth_component"]
    names = {truth} if isinstance(truth, str) else set(truth)
    ranked = [row["component"] for row in line["ranking"]]
    rank = next((float(i + 1) for i, name in enumerate(ranked) if name in names), math.inf)
    none = names == {"none"}
    confidence = line["none_confidence"] if line["inconclusive"] else line["ranking"][0]["confidence"]
    right = none if line["inconclusive"] else rank == 1.0
    error, covered = _impact(line["impact"], labels.get("impact_usd"))
    return Outcome(
        dataset=case.parent.name,
        fault=str(labels.get("fault_type", "")),
        none=none,
        rank=rank,
        chance=_chance(len(ranked), sum(name in names for name in ranked)),
        confidence=confidence,
        right=right,
        none_confidence=line["none_confidence"],
        impact_error=error,
        covered=covered,
        significant=line["significant"],
        tested=line["tested"],
        seconds=line["seconds"],
    )


def _impact(found: dict[str, float] | None, truth: float | None) -> tuple[float | None, bool | None]:
    if not found or not truth:
        return None, None
    return abs(found["amount"] - truth) / abs(truth), found["low"] <= truth <= found["high"]


def _chance(listed: int, right: int) -> tuple[float, float, float]:
    """Probability that a random order has one of the right components among the first 1, 3, 5."""
    return tuple(  # type: ignore[return-value]
        1 - math.comb(listed - right, k) / math.comb(listed, k) if listed >= k else float(right > 0)
        for k in (1, 3, 5)
    )


def interval(values: Sequence[float], statistic: Callable[[FloatArray], float]) -> tuple[float, float]:
    """90 % percentile bootstrap interval of a statistic."""
    data = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(0)
    draws = [statistic(data[rng.integers(0, len(data), len(data))]) for _ in range(RESAMPLES)]
    return float(np.quantile(draws, 0.05)), float(np.quantile(draws, 0.95))


def calibration_error(confidence: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """Expected calibration error over equal bins."""
    stated, hit = np.asarray(confidence), np.asarray(right, dtype=np.float64)
    place = np.minimum((stated * bins).astype(int), bins - 1)
    return float(
        sum(
            (place == k).mean() * abs(stated[place == k].mean() - hit[place == k].mean())
            for k in range(bins)
            if (place == k).any()
        )
    )


def luck(confidence: Sequence[float]) -> tuple[float, float]:
    """Median and 95 % quantile of the calibration error that so few cases show where stated is true."""
    stated = np.asarray(confidence)
    rng = np.random.default_rng(0)
    drawn = [
        calibration_error(stated.tolist(), (rng.random(len(stated)) < stated).tolist())
        for _ in range(RESAMPLES // 4)
    ]
    return float(np.median(drawn)), float(np.quantile(drawn, 0.95))


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """One line per data set and per fault kind."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        if not one.none:
            groups[one.dataset].append(one)
            groups[f"{one.dataset}/{one.fault}"].append(one)
    head = f"{'data set / fault':34s} {'n':>4s}  {'top 1':>6s} {'90 % interval':>15s}  {'top 3':>6s}"
    lines = [f"{head} {'top 5':>6s}   {'random 1 / 3 / 5':>18s}"]
    for name in sorted(groups):
        ranks = np.array([one.rank for one in groups[name]])
        low, high = interval(ranks.tolist(), lambda draw: float((draw <= 1).mean()))
        chance = np.mean([one.chance for one in groups[name]], axis=0)
        lines.append(
            f"{name:34s} {len(ranks):4d}  {(ranks <= 1).mean():6.2f} {f'{low:.2f} .. {high:.2f}':>15s}"
            f"  {(ranks <= 3).mean():6.2f} {(ranks <= 5).mean():6.2f}"
            f"   {' / '.join(f'{one:.2f}' for one in chance):>18s}"
        )
    return lines


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Calibration, abstention, false evidence, impact and cost, per data set."""
    out: dict[str, Any] = {}
    for name in sorted({one.dataset for one in outcomes}):
        chosen = [one for one in outcomes if one.dataset == name]
        stated, right = [one.confidence for one in chosen], [one.right for one in chosen]
        row: dict[str, Any] = {
            "brier": float(np.mean((np.array(stated) - np.array(right)) ** 2)),
            "ece": calibration_error(stated, right),
            "ece_of_perfect_calibration": luck(stated),
            "cpu_mean": float(np.mean([one.seconds for one in chosen])),
            "cpu_max": max(one.seconds for one in chosen),
        }
        row |= _abstention(chosen) | _money(chosen)
        out[name] = row
    return out


def _abstention(chosen: Sequence[Outcome]) -> dict[str, Any]:
    quiet = [one for one in chosen if one.none]
    faulty = [one for one in chosen if not one.none]
    if not quiet or not faulty:
        return {}
    pairs = [
        (a.none_confidence > b.none_confidence) + 0.5 * (a.none_confidence == b.none_confidence)
        for a in quiet
        for b in faulty
    ]
    return {
        "none_auroc": float(np.mean(pairs)),
        "false_evidence": sum(one.significant for one in quiet) / max(sum(one.tested for one in quiet), 1),
    }


def _money(chosen: Sequence[Outcome]) -> dict[str, Any]:
    errors = [one.impact_error for one in chosen if one.impact_error is not None]
    covered = [one.covered for one in chosen if one.covered is not None]
    if not errors:
        return {}
    return {
        "impact_median_error": float(np.median(errors)),
        "impact_error_interval": interval(errors, lambda draw: float(np.median(draw))),
        "impact_coverage": float(np.mean(covered)),
    }


def main() -> None:
    """Read the arguments, judge all cases, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cases", type=Path)
    parser.add_argument("--no-topology", action="store_true")
    parser.add_argument("--at-alarm", action="store_true")
    parser.add_argument("--drop-edges", type=float, default=0.0)
    parser.add_argument("--runs", type=int, default=1, help="repeat with other seeds of the dropped edges")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    outcomes: list[Outcome] = []
    for seed in range(chosen.runs):
        options = Options(not chosen.no_topology, chosen.at_alarm, chosen.drop_edges, seed)
        judged = [judge(case, options) for case in find_cases(chosen.cases)]
        outcomes += [one for one in judged if one is not None]
    if chosen.json:
        print(json.dumps({"figures": figures(outcomes), "cases": len(outcomes)}, indent=1))
        return
    print("\n".join(table(outcomes)))
    for name, row in figures(outcomes).items():
        shown = ", ".join(f"{key} {_short(value)}" for key, value in row.items())
        print(f"{name}: {shown}")


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{value[0]:.3f} .. {value[1]:.3f}"
    return f"{value:.3f}"


if __name__ == "__main__":
    main()
