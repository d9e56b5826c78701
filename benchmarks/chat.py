"""The share of questions that the chat answers right: `benchmarks/chat.py [--seeds 7 8] [--llm fake]`.

Without `--llm` the deterministic reader answers. With it a model does, over its own protocol: told what is
stored, calls the tools, and words what they return; the share says how much of the facts arrives that way.
"""

import argparse
import logging
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import structlog
from chat_questions import Facts, questions
from chat_world import World, world

from evaluation.questions.judge import faults
from service.demo_model import fake_model

AIM = 0.95


class Tally:
    """Who answered what, how right and how fast."""

    def __init__(self, *, show_all: bool) -> None:
        self.right: dict[str, list[bool]] = defaultdict(list)
        self.times: list[float] = []
        self.by: Counter[str] = Counter()
        self._show_all = show_all

    def ask_all(self, made: World) -> None:
        """Put every question to the chat."""
        thread: str | None = None
        runs = made.service.parts.stores.runs
        for ask in questions(Facts(made)):
            started = time.perf_counter()
            said = made.service.analyst.chat(ask.text, thread if ask.follows else None, "evaluation")
            self.times.append(time.perf_counter() - started)
            thread = said.thread_id
            ended = runs.after(runs.of_subject(thread)[-1].id)[-1].data
            by = "model" if ended.get("model") else "reader"
            self.by[f"{by}{': ' if ended['fallback_reason'] else ''}{ended['fallback_reason'] or ''}"] += 1
            wrong = faults(said.answer, [(one.kind, one.id) for one in said.citations], ask.expected)
            self.right[ask.category].append(not wrong)
            if wrong or self._show_all:
                print(f"[{ask.category}] {ask.text}\n    {by} {wrong}\n    {said.answer[:700]!r}")

    def report(self) -> float:
        """Print the table; the share of right answers."""
        print(f"\n{'category':<12} right  asked")
        for category, found in self.right.items():
            print(f"{category:<12} {sum(found):>5}  {len(found):>5}")
        everything = [one for found in self.right.values() for one in found]
        share = sum(everything) / len(everything)
        self.times.sort()
        print(f"{'all':<12} {sum(everything):>5}  {len(everything):>5}  {share:.1%}")
        for by, count in self.by.most_common():
            print(f"answered by {by}: {count}")
        median, late = self.times[len(self.times) // 2], self.times[int(len(self.times) * 0.95)]
        print(f"seconds per answer: median {median:.3f}, p95 {late:.3f}")
        return share


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7])
    parser.add_argument("--answers", action="store_true", help="print every answer")
    parser.add_argument("--llm", help="`fake` or `fake:BEHAVIOUR`: a model answers")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    tally = Tally(show_all=arguments.answers)
    with fake_model(arguments.llm) as llm:
        section = dict(llm, budget_usd_per_day=1_000.0) if llm else None
        for seed in arguments.seeds:
            with tempfile.TemporaryDirectory() as folder, world(seed, Path(folder), section) as made:
                tally.ask_all(made)
    return 0 if tally.report() >= AIM else 1


if __name__ == "__main__":
    raise SystemExit(main())
