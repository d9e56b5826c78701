"""From a question to the series and the stretch of time that it is about."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from agent.chat.asked import Answer, Asked
from agent.chat.question import Question
from agent.chat.refusals import absent_answer, missing_answer
from agent.chat.results import SeriesInfo
from agent.chat.times import Span
from agent.chat.wording import listed


def span_or(asked: Asked, length: timedelta | None) -> Span:
    """The named stretch; else the last so long, or with None today so far."""
    if asked.question.span is not None:
        return asked.question.span
    start = (
        asked.now.replace(hour=0, minute=0, second=0, microsecond=0) if length is None else asked.now - length
    )
    if start >= asked.now:
        start = asked.now - timedelta(hours=1)
    return Span(start, asked.now, "")


def label_filter(labels: Sequence[tuple[str, str]]) -> Mapping[str, list[str]]:
    """Label pairs as a filter: any of the values of each label."""
    found: dict[str, list[str]] = {}
    for name, value in labels:
        found.setdefault(name, []).append(value)
    return found


def money_metric(asked: Asked) -> str | None:
    """The metric that holds profit and loss, if one is stored."""
    named = asked.question.metrics[:1] or asked.lexicon.metrics.get("pnl", ())[:1]
    return named[0] if named else None


def series_of(asked: Asked) -> list[SeriesInfo] | Answer:
    """The series that a question names, or an answer that says why there are none."""
    question = asked.question
    if question.strangers:
        return missing_answer(asked)
    if not question.metrics and question.absent:
        return absent_answer(asked, question.absent)
    found: list[SeriesInfo] = []
    for metric in question.metrics:
        usable = applicable(asked, metric)
        listing = asked.call(
            asked.tools.list_series, metric=metric, labels=label_filter(usable) or None, limit=60
        )
        if usable or not question.labels:
            found += listing.items
    return found[:60] or missing_answer(asked)


def applicable(asked: Asked, metric: str) -> list[tuple[str, str]]:
    """The labels of a question that series of a metric carry: a pair or venue means nothing to a host."""
    return [pair for pair in asked.question.labels if pair[0] in _labels_of(asked, metric)]


def _labels_of(asked: Asked, metric: str) -> set[str]:
    listing = asked.tools.list_series(metric=metric, limit=1)
    return set(listing.items[0].labels) if listing.items else set()


def spoken_subject(question: Question) -> str:
    """` of mm_btc on bybit`, empty where the whole desk is meant."""
    values = [value for _, value in question.labels]
    return f" of {listed(values)}" if values else ""
