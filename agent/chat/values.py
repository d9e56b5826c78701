"""Answers about figures: values and statistics of series, and money."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from agent.chat.asked import Answer, Asked
from agent.chat.question import Statistic
from agent.chat.refusals import absent_answer, missing_answer
from agent.chat.results import Money, MoneyPart, SeriesInfo, Statistics
from agent.chat.subject import label_filter, money_metric, series_of, span_or, spoken_subject
from agent.chat.times import Span
from agent.chat.wording import between, clock, figure, plural, short, signed_money
from agent.vocabulary import kind_named
from domain.series import SeriesKey

MAX_LINES = 8
_HOUR = timedelta(hours=1)
# Kinds that are counted per interval: their sum says how many or how much.
FLOWS = frozenset(
    {"orders", "volume", "feed_messages", "network_errors", "log_lines", "fees_paid", "funding_paid"}
)
_PARTS = {"pnl_fees": "Fees (negative: paid)", "pnl_funding": "Funding (negative: paid)"}
_NAMES: dict[Statistic, str] = {
    "last": "last value",
    "mean": "average",
    "median": "median",
    "max": "maximum",
    "min": "minimum",
    "sum": "total",
    "count": "number of samples",
    "p95": "95th percentile",
    "p99": "99th percentile",
    "std": "standard deviation",
}


@dataclass(frozen=True, slots=True)
class _Figures:
    """Rows with the statistic that is to be told of them."""

    rows: Sequence[Statistics]
    chosen: Statistic
    span: Span
    total: float | None


def value_answer(asked: Asked) -> Answer:
    """Statistics of the named series, the one asked for first."""
    question = asked.question
    found = series_of(asked)
    if isinstance(found, Answer):
        return found
    span = span_or(asked, _HOUR)
    stats = asked.call(
        asked.tools.series_statistics, series=[one.series for one in found], start=span.start, end=span.end
    )
    rows = [one for one in stats.items if one.n]
    if not rows:
        return _nothing_then(asked, found, span)
    flow = _is_flow(rows[0])
    wanted = question.statistic or ("last" if question.span is None or span.instant else None)
    if wanted == "sum" and not flow:
        wanted = "max" if question.dimension else "mean"
    figures = _Figures(rows, wanted or ("sum" if flow else "mean"), span, stats.sum_of_sums)
    if len(rows) == 1 and question.dimension is None:
        return _one_row(asked, figures)
    return _many_rows(asked, figures)


def _one_row(asked: Asked, figures: _Figures) -> Answer:
    row, chosen, when = figures.rows[0], figures.chosen, between(figures.span, asked.now)
    answer = Answer()
    answer.rest_on(row.series)
    if chosen == "last":
        answer.say(f"{short(row.series)} is {_told(row, chosen, asked)} UTC.")
    else:
        answer.say(f"The {_NAMES[chosen]} of {short(row.series)} {when} is {_told(row, chosen, asked)}.")
    if row.n > 1:
        told = {name: _told(row, name, asked) for name in _SHOWN if name != chosen}
        rest = ", ".join(f"{_NAMES[name]} {value}" for name, value in told.items())
        answer.say(f"{when[0].upper()}{when[1:]}: {plural(row.n, 'sample')}, {rest}.")
    return answer


_SHOWN: tuple[Statistic, ...] = ("mean", "min", "max", "last")


def _many_rows(asked: Asked, figures: _Figures) -> Answer:
    question, chosen, when = asked.question, figures.chosen, between(figures.span, asked.now)
    answer = Answer()
    ranked = _ranked(asked, figures)
    if chosen in {"max", "min"} or question.lowest:
        _say_extreme(answer, asked, figures, ranked)
    elif chosen == "sum" and figures.total is not None:
        total = figure(figures.total, ranked[0].unit)
        answer.say(f"In total {total} {when}, over {plural(len(ranked), 'series')}:")
    else:
        answer.say(f"The {_NAMES[chosen]} {when}:")
    for one in ranked[:MAX_LINES]:
        answer.rest_on(one.series)
        answer.item(f"{short(one.series)}: {_told(one, chosen, asked)}")
    if len(ranked) > MAX_LINES:
        more = len(ranked) - MAX_LINES
        are = "is" if more == 1 else "are"
        answer.say(f"{more} more {are} stored; name a strategy, venue or symbol to see fewer.")
    return answer


def _ranked(asked: Asked, figures: _Figures) -> list[Statistics]:
    question, chosen = asked.question, figures.chosen
    ranked = sorted(figures.rows, key=lambda one: -(one.model_dump()[chosen] or 0.0))
    if chosen == "min" or (question.lowest and question.statistic != "max"):
        ranked.reverse()
    if len(question.metrics) > 1:
        ranked.sort(key=lambda one: question.metrics.index(SeriesKey.parse(one.series).metric))
    return ranked


def _say_extreme(answer: Answer, asked: Asked, figures: _Figures, ranked: Sequence[Statistics]) -> None:
    """One leader per metric: latencies of gateways and of feeds are not to be ranked together."""
    seen: set[str] = set()
    chosen = figures.chosen
    word = "lowest" if chosen == "min" or asked.question.lowest else "highest"
    for one in ranked:
        metric = SeriesKey.parse(one.series).metric
        if metric not in seen:
            seen.add(metric)
            name = "" if chosen in {"max", "min"} else f" {_NAMES[chosen]}"
            when = between(figures.span, asked.now)
            answer.say(
                f"{short(one.series)} has the {word}{name} {metric} {when}: {_told(one, chosen, asked)}."
            )


def _told(row: Statistics, chosen: Statistic, asked: Asked) -> str:
    if chosen == "count":
        return str(row.n)
    text = figure(row.model_dump()[chosen], row.unit)
    at = {"max": row.max_at, "min": row.min_at, "last": row.last_at}.get(chosen)
    return f"{text} at {clock(at, asked.now)}" if at else text


def _is_flow(row: Statistics) -> bool:
    return kind_named(SeriesKey.parse(row.series).metric).name in FLOWS


def _nothing_then(asked: Asked, found: Sequence[SeriesInfo], span: Span) -> Answer:
    answer = Answer(answered=False)
    names = ", ".join(short(one.series) for one in found[:3])
    answer.say(f"I have no data for {names} {between(span, asked.now)}.")
    wide = asked.call(
        asked.tools.series_statistics,
        series=[one.series for one in found[:MAX_LINES]],
        start=asked.now - timedelta(days=14),
        end=asked.now + timedelta(seconds=1),
    )
    for one in wide.items[:3]:
        if one.last_at is not None:
            answer.rest_on(one.series)
            last = f"{figure(one.last, one.unit)} at {clock(one.last_at, asked.now)} UTC"
            answer.say(f"The last value of {short(one.series)} is {last}.")
    return answer


def money_answer(asked: Asked) -> Answer:
    """Profit and loss in a stretch, split where a split was asked for."""
    question = asked.question
    metric = money_metric(asked)
    if metric is None:
        return absent_answer(asked, ("pnl",))
    if question.strangers:
        return missing_answer(asked)
    span = span_or(asked, None)
    by = question.dimension if question.dimension in {"strategy", "venue", "symbol"} else None
    found = asked.call(
        asked.tools.money,
        metric=metric,
        start=span.start,
        end=span.end,
        labels=label_filter(question.labels),
        by=by or _open_dimension(asked),
    )
    if not found.series:
        return missing_answer(asked)
    subject, when = spoken_subject(question), between(span, asked.now)
    if not found.samples:
        return Answer.refusal(f"I have no {metric} data{subject} {when}.")
    answer = Answer()
    answer.rest_on(*found.series)
    worst_first = question.lowest or (found.amount < 0 and question.statistic is None)
    ranked = list(found.parts) if worst_first else list(found.parts)[::-1]
    if by and ranked:
        _say_leader(answer, asked, found, ranked[0])
    name = _PARTS.get(metric, "PnL")
    answer.say(f"{name}{subject} {when}: {signed_money(found.amount, found.unit)}.")
    for part in ranked[:MAX_LINES] if len(ranked) > 1 else ():
        answer.item(f"{part.name}: {signed_money(part.amount, found.unit)}")
    return answer


def _say_leader(answer: Answer, asked: Asked, found: Money, first: MoneyPart) -> None:
    """`carry_perp lost the most`: where the winner or the loser was asked for."""
    question = asked.question
    if question.statistic not in {"max", "min"} and not question.lowest:
        return
    when = between(Span(found.start, found.end, ""), asked.now)
    if question.lowest and first.amount >= 0 and "los" in question.text.lower():
        least = f"{first.name} made the least: {signed_money(first.amount, found.unit)}"
        answer.say(f"No {found.by} lost money {when}; {least}.")
        return
    word = "lost the most" if first.amount < 0 else "made the least" if question.lowest else "made the most"
    answer.say(f"{first.name} {word} {when}: {signed_money(first.amount, found.unit)}.")


def _open_dimension(asked: Asked) -> str | None:
    """A total is shown by strategy, or by the first label that was not asked about."""
    named = {name for name, _ in asked.question.labels}
    return next((name for name in ("strategy", "venue", "symbol") if name not in named), None)
