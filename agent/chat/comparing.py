"""Answers that compare: two times, two labels, now with the usual, one series with all others."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from agent.chat.asked import Answer, Asked
from agent.chat.refusals import absent_answer
from agent.chat.results import Comparison, ComparisonList
from agent.chat.subject import money_metric, series_of, span_or, spoken_subject
from agent.chat.times import Span
from agent.chat.values import FLOWS, MAX_LINES, value_answer
from agent.chat.wording import between, figure, plain, plural, short
from agent.vocabulary import KINDS, kind_named
from domain.series import SeriesKey

_HOUR = timedelta(hours=1)
# What came in so lately stands for now.
_LATELY = timedelta(minutes=15)
# Whether it is so by now, not whether it was in the last hour.
_NOW = re.compile(r"\b(?:back to|again|any ?more)\b")
UNUSUAL = 3.0


def compare_answer(asked: Asked) -> Answer:
    """Two stretches, two labels, or now and what is usual at this time."""
    question = asked.question
    if not question.metrics:
        metric = money_metric(asked)
        if question.absent or metric is None:
            return absent_answer(asked, question.absent or ("pnl",))
        asked.question = question = replace(question, metrics=(metric,))
    found = series_of(asked)
    if isinstance(found, Answer):
        return found
    if _rivals(question.labels) and len(question.spans) < 2:
        return value_answer(asked)
    return _compared(asked, [one.series for one in found])


def _compared(asked: Asked, names: list[str]) -> Answer:
    question = asked.question
    total = _sums(question.metrics[0])
    if len(question.spans) >= 2 or (
        question.spans and question.spans[0].end <= asked.now and not _usual(asked)
    ):
        span, other = _two_spans(asked)
        found = asked.call(
            asked.tools.compare_windows,
            series=names,
            span=[span.start, span.end],
            other=[other.start, other.end],
            total=total,
        )
        return _compared_text(asked, found, between(span, asked.now), between(other, asked.now))
    span = span_or(asked, _LATELY if _NOW.search(question.text.lower()) else _HOUR)
    found = asked.call(
        asked.tools.compare_with_usual, series=names, start=span.start, end=span.end, total=total
    )
    return _compared_text(asked, found, between(span, asked.now), "the same hours of the days before")


def _usual(asked: Asked) -> bool:
    return any(word in asked.question.text.lower() for word in ("normal", "usual"))


def _compared_text(asked: Asked, found: ComparisonList, first: str, second: str) -> Answer:
    known = [one for one in found.items if one.value is not None and one.other is not None]
    if not known:
        return Answer.refusal(f"I have no data to compare {first} with {second}.")
    answer = Answer()
    noun = kind_named(SeriesKey.parse(known[0].series).metric)
    several = len({SeriesKey.parse(one.series).metric for one in known}) > 1
    name = "values" if several or noun.name not in KINDS else noun.noun
    what = f"{'Total' if found.total else 'Average'} {name}"
    what += spoken_subject(asked.question)
    whole = found.whole or (known[0] if len(known) == 1 else None)
    if whole is not None and whole.value is not None and whole.other is not None:
        answer.say(
            f"{what} {first}: {figure(whole.value, whole.unit)}; {second}: {figure(whole.other, whole.unit)}."
        )
        answer.say(f"That is {_change(whole)}{_verdict(whole)}.")
    else:
        odd = sum(abs(one.z or 0.0) >= UNUSUAL for one in known)
        answer.say(f"{_judged(known, odd)}{what} {first}, compared with {second}:")
    known.sort(key=lambda one: -abs(one.change or 0.0))
    for one in known if len(known) > 1 else ():
        answer.rest_on(one.series)
        if len(answer.citations) <= MAX_LINES:
            answer.item(_comparison_line(one))
    if len(known) > MAX_LINES:
        answer.say(f"{plural(len(known) - MAX_LINES, 'more series')} changed less.")
    answer.rest_on(*(one.series for one in known))
    return answer


def _judged(known: Sequence[Comparison], odd: int) -> str:
    """Whether it is as usual, before the figures."""
    if all(one.z is None for one in known):
        return ""
    if not odd:
        return f"All {len(known)} series are as usual. "
    return f"{odd} of {len(known)} series {'is' if odd == 1 else 'are'} unusual. "


def _change(one: Comparison) -> str:
    text = _difference(one.change or 0.0, one.unit)
    if one.percent is not None and abs(one.percent) < 1_000 and one.change:
        text += f" ({'+' if one.percent > 0 else ''}{plain(one.percent)} %)"
    return text


def _verdict(one: Comparison) -> str:
    if one.z is None or one.low is None or one.high is None:
        return ""
    seen = (
        f"in {one.windows} days it was between {figure(one.low, one.unit)} and {figure(one.high, one.unit)}"
    )
    return f", which is {'not normal' if abs(one.z) >= UNUSUAL else 'within the normal'}: {seen}"


def _comparison_line(one: Comparison) -> str:
    values = f"{figure(one.value, one.unit)} compared with {figure(one.other, one.unit)}"
    judged = ", unusual" if one.z is not None and abs(one.z) >= UNUSUAL else ""
    return f"{short(one.series)}: {values}, {_change(one)}{judged}"


def _difference(change: float, unit: str) -> str:
    if change == 0:
        return "no difference"
    size = figure(abs(change), unit)
    if unit in {"ratio", "percent", "%"}:
        size = size.replace(" %", " percentage points")
    return f"{size} {'more' if change > 0 else 'less'}"


def _rivals(labels: Sequence[tuple[str, str]]) -> bool:
    names = [name for name, _ in labels]
    return any(names.count(name) > 1 for name in names)


def _sums(metric: str) -> bool:
    kind = kind_named(metric).name
    return kind == "pnl" or kind in FLOWS


def _around(moment: Span) -> Span:
    return replace(moment, end=moment.start + _LATELY, instant=False)


def _two_spans(asked: Asked) -> tuple[Span, Span]:
    """`Today with yesterday` compares today so far with the same hours of yesterday."""
    spans = asked.question.spans
    today = asked.now.replace(hour=0, minute=0, second=0, microsecond=0)
    if len(spans) == 1:
        spans = (
            (Span(today, asked.now, "today", day=True), spans[0])
            if spans[0].day
            else (Span(asked.now - _LATELY, asked.now, "now"), _around(spans[0]))
            if spans[0].instant
            else (spans[0], spans[0].shifted(timedelta(days=-1)))
        )
    first, second = spans[0], spans[1]
    if first.day and second.day and first.length != second.length:
        whole, part = (first, second) if first.length > second.length else (second, first)
        cut = replace(whole, end=whole.start + part.length, day=False)
        first, second = (cut, second) if whole is first else (first, cut)
    if first.start == second.start:
        second = second.shifted(timedelta(days=-1))
    return first, second
