"""The share of questions that the chat answers right: `python benchmarks/chat.py [--seeds 7 8]`."""

import argparse
import logging
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import structlog
from chat_questions import Facts, questions
from chat_world import world

from evaluation.questions.judge import faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7])
    parser.add_argument("--answers", action="store_true", help="print every answer")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    right: dict[str, list[bool]] = defaultdict(list)
    times: list[float] = []
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as folder, world(seed, Path(folder)) as made:
            thread: str | None = None
            for ask in questions(Facts(made)):
                started = time.perf_counter()
                said = made.service.analyst.chat(ask.text, thread if ask.follows else None, "evaluation")
                times.append(time.perf_counter() - started)
                thread = said.thread_id
                wrong = faults(said.answer, [(one.kind, one.id) for one in said.citations], ask.expected)
                right[ask.category].append(not wrong)
                if wrong or arguments.answers:
                    print(f"[{ask.category}] {ask.text}\n    {wrong}\n    {said.answer[:700]!r}")
    print(f"\n{'category':<12} right  asked")
    for category, found in right.items():
        print(f"{category:<12} {sum(found):>5}  {len(found):>5}")
    everything = [one for found in right.values() for one in found]
    share = sum(everything) / len(everything)
    times.sort()
    print(f"{'all':<12} {sum(everything):>5}  {len(everything):>5}  {share:.1%}")
    print(f"seconds per answer: median {times[len(times) // 2]:.3f}, p95 {times[int(len(times) * 0.95)]:.3f}")
    return 0 if share >= 0.95 else 1


if __name__ == "__main__":
    raise SystemExit(main())
