"""Templates and alert lines of labelled logs; prints a table.

Usage: logs.py PATH: a folder of CSV files (or one) with the columns Content and EventId, and, for alert
lines, Label (`-` is none) and Level. One configuration for all of them. Grouping accuracy is the share of
lines whose group of equal templates is exactly the labelled one. Nothing is learned from a label.
"""

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors.alert_lines import GRAVE, reports_failure
from collectors.drain import TemplateMiner
from collectors.loglines import level_of

REPEATS = 5
Rows = Sequence[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Mined:
    """Templates of one file, by line, and how long they took."""

    templates: list[str]
    groups: list[int]
    seconds: float


def mine(messages: Sequence[str]) -> Mined:
    """One pass of a fresh miner; the median of a few passes is the time."""
    times = []
    for _ in range(REPEATS):
        miner = TemplateMiner()
        began = time.process_time()
        found = [miner.add(message)[0] for message in messages]
        times.append(time.process_time() - began)
    return Mined([one.text for one in found], [one.id for one in found], sorted(times)[REPEATS // 2])


def grouping_accuracy(truth: Sequence[str], found: Sequence[int]) -> float:
    """The share of lines in groups that hold exactly the lines of one label."""
    wanted: dict[str, set[int]] = defaultdict(set)
    groups: dict[int, set[int]] = defaultdict(set)
    for line, (label, group) in enumerate(zip(truth, found, strict=True)):
        wanted[label].add(line)
        groups[group].add(line)
    exact = [lines for lines in groups.values() if lines == wanted[truth[min(lines)]]]
    return sum(map(len, exact)) / len(truth)


def f1(truth: Sequence[bool], alarms: Sequence[bool]) -> tuple[float, float, float]:
    """Precision, recall and their harmonic mean."""
    hits = sum(a and b for a, b in zip(truth, alarms, strict=True))
    precision, recall = hits / max(sum(alarms), 1), hits / max(sum(truth), 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-12)


def files(path: Path) -> Iterable[Path]:
    """The CSV files of a folder, or the one given."""
    return sorted(path.glob("*.csv")) if path.is_dir() else [path]


def alert_lines(rows: Rows, mined: Mined) -> None:
    """Print how well alert lines are told without labels, beside the level alone."""
    truth = [row["Label"] != "-" for row in rows]
    levels = [level_of(row["Level"]) for row in rows]
    told = [reports_failure(level, text) for level, text in zip(levels, mined.templates, strict=True)]
    for name, alarms in (
        ("level CRITICAL alone", [level == "CRITICAL" for level in levels]),
        ("level ERROR or above alone", [level in GRAVE for level in levels]),
        ("failures, less their details", told),
    ):
        precision, recall, score = f1(truth, alarms)
        print(f"    alert lines: {name:30} precision {precision:.3f} recall {recall:.3f} F1 {score:.3f}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("path", type=Path)
    accuracies, lines, seconds = [], 0, 0.0
    for path in files(arguments.parse_args().path):
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if "Content" in row and "EventId" in row]
        if not rows:
            continue
        mined = mine([row["Content"] for row in rows])
        accuracy = grouping_accuracy([row["EventId"] for row in rows], mined.groups)
        accuracies.append(accuracy)
        lines, seconds = lines + len(rows), seconds + mined.seconds
        print(
            f"{path.name.split('_')[0]:12} {len(rows):7,} lines, {len(set(mined.groups)):4} templates of "
            f"{len({row['EventId'] for row in rows}):4} labelled, grouping accuracy {accuracy:.3f}, "
            f"{len(rows) / mined.seconds:9,.0f} lines per CPU s"
        )
        if "Label" in rows[0] and "Level" in rows[0]:
            alert_lines(rows, mined)
    if accuracies:
        mean = sum(accuracies) / len(accuracies)
        print(f"{'all':12} mean grouping accuracy {mean:.3f}, {lines / seconds:,.0f} lines per CPU s")


if __name__ == "__main__":
    main()
