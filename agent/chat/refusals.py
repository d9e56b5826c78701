"""What cannot be told, and what can instead: said plainly, never answered around."""

from agent.chat.asked import Answer, Asked
from agent.chat.wording import listed, quoted

EXAMPLES = (
    "what happened since 09:00?",
    "why did pnl drop?",
    "which strategy lost the most today?",
    "what is the ack latency on VENUE?",
    "compare pnl today with yesterday",
    "what should I do first?",
)


_NOT_COMPUTED = frozenset(
    {
        "drawdown",
        "drawdowns",
        "sharpe",
        "sortino",
        "calmar",
        "var",
        "cvar",
        "beta",
        "delta",
        "gamma",
        "greeks",
    }
)


def missing_answer(asked: Asked) -> Answer:
    """Names that nothing stored carries; with what is stored."""
    question = asked.question
    answer = Answer(answered=False)
    if question.strangers:
        answer.say(f"I have no data for {listed([quoted(one) for one in question.strangers])}.")
    else:
        named = [value for _, value in question.labels]
        answer.say(
            f"I have no data for {listed(list(question.metrics) or ['that'])} of {listed(named) or 'that'}."
        )
    metric = question.metrics[0] if question.metrics else None
    listing = asked.call(asked.tools.list_series, metric=metric, limit=200)
    values: dict[str, list[str]] = {}
    for one in listing.items:
        for name, value in one.labels.items():
            if name in asked.lexicon.values and value not in values.setdefault(name, []):
                values[name].append(value)
    for name, found in sorted(values.items()):
        answer.item(f"{name}: {listed(found)}")
    if values and metric:
        answer.lines[0] += f" I have {metric} by:"
    elif values:
        answer.lines[0] += " I have:"
    return answer


def absent_answer(asked: Asked, names: tuple[str, ...]) -> Answer:
    """A quantity that people know but that is not recorded here."""
    metrics = sorted({one for found in asked.lexicon.metrics.values() for one in found})
    answer = Answer(answered=False)
    answer.say(f"I have no data for {listed([quoted(one) for one in names])}.")
    answer.say(f"What is recorded: {listed(metrics, 20)}." if metrics else "No series is stored yet.")
    return answer


def unknown_answer(asked: Asked) -> Answer:
    """A question that was not understood."""
    question = asked.question
    if question.absent:
        return absent_answer(asked, question.absent)
    answer = Answer(answered=False)
    ratios = [one for one in question.unknown if one in _NOT_COMPUTED]
    if ratios:
        answer.say(
            f"I have no data for {listed([quoted(one) for one in ratios])}, and compute none; I have totals, "
            "averages, extremes, percentiles and deviations of what is stored."
        )
    elif any(one.isalpha() and not one.isascii() for one in question.text):
        answer.say("I have no data for that: I read questions in English alone.")
    elif question.unknown:
        words = listed([quoted(one) for one in question.unknown[:5]])
        answer.say(f"I have no data for that: I do not know {words}.")
    else:
        answer.say("I did not understand that.")
    answer.say(
        "I answer from what is stored about this desk: metrics, incidents, diagnoses, logs, news, sources."
    )
    answer.say("For example:")
    for example in EXAMPLES:
        answer.item(example)
    return answer
