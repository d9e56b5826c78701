"""How right and how fast the analyst is: shares with intervals, never a share without its n."""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic import BaseModel

from api.stores import Stores
from domain.cycle import Cycle
from domain.feedback import Feedback

_DAYS = 30
_Z95 = 1.959964


class Share(BaseModel):
    """`right` of `n`, with the Wilson 95 % interval; `share` is null where n is 0."""

    n: int
    right: int
    share: float | None
    low: float | None
    high: float | None


class Latency(BaseModel):
    """Milliseconds over the last cycles."""

    n: int
    p50_ms: float | None
    p95_ms: float | None
    max_ms: float | None


class Performance(BaseModel):
    """Accuracy from feedback over 30 days; only `correct` counts as right."""

    since: datetime
    anomalies: Share
    diagnoses: Share
    chat: Share
    diagnosis_verdicts: dict[str, int]
    cycles: Latency


def performance_of(stores: Stores, now: datetime) -> Performance:
    """Sum up stored feedback and cycles."""
    since = now - timedelta(days=_DAYS)
    said = stores.feedback.since(since)
    verdicts = Counter(one.verdict for one in said if one.kind == "diagnosis")
    return Performance(
        since=since,
        anomalies=_share(said, "anomaly", "true_positive"),
        diagnoses=_share(said, "diagnosis", "correct"),
        chat=_share(said, "chat", "correct"),
        diagnosis_verdicts={str(verdict): count for verdict, count in verdicts.items()},
        cycles=latency(stores.cycles.list(limit=500, cursor=None).items),
    )


def wilson(right: int, n: int) -> tuple[float | None, float | None]:
    """The 95 % interval of a share; (None, None) for n = 0."""
    if n == 0:
        return None, None
    share, z2 = right / n, _Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def latency(cycles: Sequence[Cycle]) -> Latency:
    """Percentiles of the durations of finished cycles."""
    # The steps are measured in real time, whatever clock the cycles are dated with.
    spans = sorted(
        sum(step.ms for step in cycle.steps) for cycle in cycles if cycle.status == "done" and cycle.steps
    )
    if not spans:
        return Latency(n=0, p50_ms=None, p95_ms=None, max_ms=None)
    at = [spans[min(len(spans) - 1, math.ceil(q * len(spans)) - 1)] for q in (0.5, 0.95)]
    return Latency(n=len(spans), p50_ms=at[0], p95_ms=at[1], max_ms=spans[-1])


def _share(said: Sequence[Feedback], kind: str, good: str) -> Share:
    n = sum(one.kind == kind for one in said)
    right = sum(one.kind == kind and one.verdict == good for one in said)
    low, high = wilson(right, n)
    return Share(n=n, right=right, share=right / n if n else None, low=low, high=high)
