"""How right the analyst is, by what people said: shares never without their n, small n in words."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from markupsafe import Markup

from api.dashboard import fmt
from api.dashboard.svg import bar, sparkline
from api.doors import Doors
from api.performance import Performance, Share, performance_of, wilson
from db.records import UsageDay
from domain.diagnosis import Diagnosis
from domain.feedback import Feedback
from domain.rule import Rule

DAYS = {"7d": 7, "30d": 30}
_BINS = ((0.0, 0.5), (0.5, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01))
_FEW = 30


@dataclass(frozen=True, slots=True)
class Bin:
    label: str
    n: int
    right: str
    bar: Markup


@dataclass(frozen=True, slots=True)
class RuleRow:
    name: str
    method: str
    anomalies: int
    per_day: str
    precision: str
    judged: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    window: str
    summary: Performance
    words: str
    top_one: str
    top_three: str
    bins: list[Bin]
    false_alarms: Markup
    false_total: int
    cycle_spark: Markup
    allowed_s: float
    usage: list[UsageDay]
    budget: float | None
    fallback: str
    rules: list[RuleRow]
    rule_names: list[str]


def accuracy(door: Doors, window: str) -> Accuracy:
    """Everything on the page of the performance."""
    now = door.service.now()
    since = now - timedelta(days=DAYS[window])
    said = door.stores.feedback.since(since)
    judged = [one for one in said if one.kind == "diagnosis"]
    diagnoses = door.stores.diagnoses.many(list({one.target_id for one in judged}))
    summary = performance_of(door.stores, now)
    return Accuracy(
        window=window,
        summary=summary,
        words=accuracy_words(summary.diagnoses),
        top_one=_share_words(_hits(judged, diagnoses, 1)),
        top_three=_share_words(_hits(judged, diagnoses, 3)),
        bins=calibration(judged, diagnoses),
        false_alarms=_per_day([one for one in said if one.verdict == "false_positive"], since, now),
        false_total=sum(one.verdict == "false_positive" for one in said),
        cycle_spark=_cycle_spark(door),
        allowed_s=door.service.step_s,
        usage=door.stores.usage.by_day(since, now + timedelta(days=1)),
        budget=door.service.budget_left_usd(),
        fallback=_fallback(door, since),
        rules=_rules(door, since, now, said),
        rule_names=[rule.name for rule in door.stores.rules.all()],
    )


def accuracy_words(share: Share) -> str:
    """`81 % (95 % CI 70 to 89 %, n = 52)`, or that nobody has judged yet."""
    if share.share is None or share.low is None or share.high is None:
        return "nobody has judged a diagnosis yet"
    interval = f"{share.low * 100:.0f} to {share.high * 100:.0f} %"
    text = f"{fmt.percent(share.share)} (95 % CI {interval}, n = {share.n})"
    return (
        text
        if share.n >= _FEW
        else f"{text}: {share.n} label{'' if share.n == 1 else 's'}, too few to be sure"
    )


def _share_words(hits: Sequence[bool]) -> str:
    if not hits:
        return fmt.MISSING
    low, high = wilson(sum(hits), len(hits))
    interval = f"{(low or 0) * 100:.0f} to {(high or 0) * 100:.0f} %"
    return f"{fmt.percent(sum(hits) / len(hits))} ({interval}, n = {len(hits)})"


def _hits(judged: Sequence[Feedback], diagnoses: Mapping[str, Diagnosis], first: int) -> list[bool]:
    """Whether the true cause, where somebody named it or agreed, was among the first hypotheses."""
    found = []
    for one in judged:
        diagnosis = diagnoses.get(one.target_id)
        lead = diagnosis.primary_hypothesis if diagnosis else None
        if diagnosis is None or lead is None or (one.verdict != "correct" and not one.actual_cause):
            continue
        causes = [lead.cause, *(other.cause for other in diagnosis.alternative_hypotheses)]
        found.append(one.verdict == "correct" or one.actual_cause in causes[:first])
    return found


def calibration(judged: Sequence[Feedback], diagnoses: Mapping[str, Diagnosis]) -> list[Bin]:
    """For each range of stated confidence, how often it was right."""
    by_bin: dict[int, list[bool]] = defaultdict(list)
    for one in judged:
        if one.target_id in diagnoses:
            stated = diagnoses[one.target_id].confidence_score
            at = next(i for i, (low, high) in enumerate(_BINS) if low <= stated < high)
            by_bin[at].append(one.verdict == "correct")
    rows = []
    for i, hits in sorted(by_bin.items()):
        low, high = _BINS[i]
        share = sum(hits) / len(hits)
        label = f"{low * 100:.0f} to {min(high, 1.0) * 100:.0f} %"
        rows.append(Bin(label, len(hits), fmt.percent(share), bar(share, f"right {fmt.percent(share)}")))
    return rows


def _per_day(said: Sequence[Feedback], since: datetime, now: datetime) -> Markup:
    days = max(1, (now - since).days)
    counts = np.zeros(days)
    for one in said:
        counts[min(days - 1, max(0, (one.created_at - since).days))] += 1
    return sparkline(counts)


def _cycle_spark(door: Doors) -> Markup:
    cycles = [one for one in door.stores.cycles.list(limit=100).items if one.started_at and one.finished_at]
    spans = [
        (one.finished_at - one.started_at).total_seconds()
        for one in reversed(cycles)
        if one.finished_at and one.started_at
    ]
    return sparkline(np.array(spans)) if spans else Markup("")


def _fallback(door: Doors, since: datetime) -> str:
    made = door.stores.diagnoses.list(start=since, limit=500).items
    asked = [one for one in made if one.llm_model_used or one.fallback_reason]
    if not asked:
        return f"{len(made)} diagnoses, none asked a language model"
    fell = sum(one.fallback_reason is not None for one in asked)
    return f"{fell} of {len(asked)} fell back to the statistical reasoner"


def _rules(door: Doors, since: datetime, now: datetime, said: Sequence[Feedback]) -> list[RuleRow]:
    rules: Mapping[str, Rule] = {rule.name: rule for rule in door.stores.rules.all()}
    verdicts = {one.target_id: one.verdict for one in said if one.kind == "anomaly"}
    right: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    for one in door.stores.anomalies.many(list(verdicts)).values():
        judged[one.rule] += 1
        right[one.rule] += verdicts[one.id] == "true_positive"
    counts = door.stores.anomalies.by_rule(since)
    first = min((begun for _, _, begun in counts), default=now)
    days = max(1.0, (now - first).total_seconds() / 86_400)
    return [
        RuleRow(
            name,
            fmt.words(rules[name].method) if name in rules else fmt.MISSING,
            n,
            f"{n / days:.1f}",
            fmt.percent(right[name] / judged[name]) if judged[name] else fmt.MISSING,
            judged[name],
        )
        for name, n, _ in counts[:40]
    ]
