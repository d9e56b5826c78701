"""Order in time: claimed only where a cited fact establishes it, and only that way round."""

from collections.abc import Iterator, Sequence

from agent.grounds import Grounds
from agent.phrases import NO_ORDER, ORDER

_BEFORE = frozenset({"before", "precedes", "preceded", "preceding", "leads", "lead", "ahead of", "prior to"})
_TOLD = frozenset({"before", "after", "precedes", "preceded", "leads", "lags", "follows"})


def order_claims(text: str, grounds: Sequence[Grounds]) -> Iterator[tuple[bool, str]]:
    """Each claim of an order in a piece of a sentence: whether it holds, and what is wrong where not."""
    match = ORDER.search(NO_ORDER.sub(lambda found: " " * len(found[0]), text))
    if match is None:
        return
    timed = [
        one for one in grounds if one.fact.lead_seconds is not None or one.fact.kind in {"event", "news"}
    ]
    yield bool(timed), "no cited fact establishes an order in time"
    word = match[0].lower()
    for one in timed if word in _TOLD else ():
        yield _is_first(text, word, one), "the order in time is the other way round"


def _is_first(text: str, word: str, one: Grounds) -> bool:
    before = word in _BEFORE
    seconds = one.fact.lead_seconds if one.fact.lead_seconds is not None else one.fact.value or 0.0
    if one.fact.kind == "lead_lag" and len(one.fact.series) == 2:
        leader, target = (text.lower().find(name.lower()) for name in one.fact.series)
        if leader >= 0 and target >= 0 and leader > target:
            before = not before
    return before == (seconds >= 0)
