"""Answers about what moved: in a stretch of time, or together with one series."""

from dataclasses import replace
from datetime import timedelta

from agent.chat.asked import Answer, Asked
from agent.chat.subject import series_of, span_or
from agent.chat.times import Span
from agent.chat.wording import between, figure, plain, short

_HOUR = timedelta(hours=1)
FAR = 4.0
CLOSELY = 0.4


def movers_answer(asked: Asked) -> Answer:
    """What moved in a stretch, or together with a series."""
    question = asked.question
    span = span_or(asked, _HOUR)
    if question.metrics and not question.ids:
        found = series_of(asked)
        if isinstance(found, Answer):
            return found
        if len(found) == 1:
            return _together(asked, found[0].series, span)
    moved = asked.call(asked.tools.movers, start=span.start, end=span.end)
    answer = Answer()
    strong = [one for one in moved.items if abs(one.z) >= FAR]
    if not strong:
        answer.say(f"None of the {moved.tested} series moved far {between(span, asked.now)}.")
        return answer
    before = between(Span(moved.baseline_start, moved.start, ""), asked.now)
    answer.say(
        f"What moved most {between(span, asked.now)}, compared with {before} "
        f"({moved.tested} series looked at):"
    )
    for one in strong:
        answer.rest_on(one.series)
        answer.item(
            f"{short(one.series)} {'rose' if one.z > 0 else 'fell'} from {figure(one.before, one.unit)} "
            f"to {figure(one.during, one.unit)}"
        )
    return answer


def _together(asked: Asked, series: str, span: Span) -> Answer:
    if span.length < timedelta(hours=3):
        span = replace(span, start=span.end - timedelta(hours=3), instant=False)
    found = asked.call(asked.tools.moved_together, series=series, start=span.start, end=span.end)
    strong = [one for one in found.items if abs(one.correlation) >= CLOSELY]
    answer = Answer()
    answer.rest_on(series)
    if not strong:
        answer.say(f"Nothing moved closely with {short(series)} {between(span, asked.now)}.")
        return answer
    answer.say(f"What moved with {short(series)} {between(span, asked.now)} (correlation of changes):")
    for one in strong:
        answer.rest_on(one.series)
        lag = abs(one.lag_seconds) / 60
        order = (
            "at the same time"
            if not lag
            else f"{plain(lag)} min {'before' if one.lag_seconds > 0 else 'after'} it"
        )
        answer.item(f"{short(one.series)}: {plain(round(one.correlation, 2))}, {order}")
    answer.say("Moving together is no proof of a cause; ask why, or ask me to diagnose it.")
    return answer
