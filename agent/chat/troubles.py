"""Answers about what went wrong: incidents and anomalies listed, ranked, compared with before."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from agent.chat.asked import Answer, Asked
from agent.chat.refusals import missing_answer
from agent.chat.results import IncidentBrief
from agent.chat.subject import span_or
from agent.chat.times import Span
from agent.chat.wording import (
    between,
    clock,
    figure,
    impact,
    lasting,
    listed,
    one_line,
    percent,
    plural,
    short,
    short_title,
    unit_named_in,
)
from domain.anomaly import Anomaly

MAX_LINES = 8
_DAY = timedelta(days=1)


def names_of(asked: Asked) -> list[str]:
    """Metric names and label values that narrow a list down."""
    question = asked.question
    return [*question.metrics[:1], *(value for _, value in question.labels)]


def list_span(asked: Asked) -> Span:
    """The named stretch; the last 24 hours where none is."""
    return span_or(asked, _DAY)


def brief_line(one: IncidentBrief, asked: Asked, answer: Answer) -> str:
    """One incident in a line, with its sources."""
    chip = answer.cite("incident", one.id)
    text = f"{chip} {one.severity}, {_when(one, asked)}: {short_title(one.title)}"
    if one.impact is not None:
        text += f"; impact {impact(one.impact)}"
    if one.cause and one.confidence is not None and one.diagnosis_id:
        source = answer.cite("diagnosis", one.diagnosis_id)
        text += f"; cause: {one_line(one.cause)}, {percent(one.confidence)} {source}"
    elif one.diagnosis_id:
        text += f"; no cause found yet {answer.cite('diagnosis', one.diagnosis_id)}"
    if one.assignee:
        text += f"; with {one_line(one.assignee)}"
    return text


def _when(one: IncidentBrief, asked: Asked) -> str:
    if one.ended_at is None:
        return f"{one.status} since {clock(one.started_at, asked.now)} UTC"
    if one.status != "resolved":
        return (
            f"{one.status}, from {clock(one.started_at, asked.now)} to {clock(one.ended_at, asked.now)} UTC"
        )
    return f"from {clock(one.started_at, asked.now)} to {clock(one.ended_at, asked.now)} UTC"


def what_happened_answer(asked: Asked) -> Answer:
    """Incidents of a stretch, the worst first; else what moved, so that silence is informed."""
    if asked.question.strangers:
        return missing_answer(asked)
    if asked.question.status == "open" and not asked.question.spans:
        return list_incidents_answer(asked)
    span, about = list_span(asked), names_of(asked)
    found = asked.call(asked.tools.list_incidents, start=span.start, end=span.end, about=about)
    answer = Answer()
    subject = f" on {listed(about)}" if about else ""
    if not found.items:
        answer.say(f"No incident{subject} {between(span, asked.now)}.")
        moved = asked.call(asked.tools.list_anomalies, start=span.start, end=span.end, about=about)
        if moved.total:
            answer.say(f"{plural(moved.total, 'single anomaly')} began in that time:")
            for one in moved.items[:3]:
                answer.item(anomaly_line(one, asked, answer))
        return answer
    answer.say(f"{plural(found.total, 'incident').capitalize()}{subject} {between(span, asked.now)}:")
    for brief in found.items[:MAX_LINES]:
        answer.item(brief_line(brief, asked, answer))
    if found.total > MAX_LINES:
        answer.say(f"{found.total - MAX_LINES} more; ask for the critical ones, or for a shorter time.")
    return answer


def list_incidents_answer(asked: Asked) -> Answer:
    """Incidents with the asked severity and status."""
    question = asked.question
    if question.strangers:
        return missing_answer(asked)
    about = names_of(asked)
    named_time = bool(question.spans)
    span = list_span(asked)
    status = question.status or (None if named_time or question.counted else "open")
    if status == "open" and not named_time:
        span = Span(asked.now - timedelta(seconds=1), asked.now + timedelta(seconds=1), "")
    found = asked.call(
        asked.tools.list_incidents,
        start=span.start,
        end=span.end,
        min_severity=question.severity or "low",
        status=status,
        about=about,
    )
    when = "now" if status == "open" and not named_time else between(span, asked.now)
    answer = Answer()
    what = " ".join(filter(None, [status or "", _least(question.severity), "incident"]))
    subject = f" on {listed(about)}" if about else ""
    if not found.items:
        answer.say(f"No {what}{subject} {when}.")
        if status == "open" and not named_time:
            return _recent(asked, answer, about)
        return answer
    answer.say(f"{plural(found.total, what)}{subject} {when}:")
    for one in found.items[:MAX_LINES]:
        answer.item(brief_line(one, asked, answer))
    return answer


def _recent(asked: Asked, answer: Answer, about: Sequence[str]) -> Answer:
    day = Span(asked.now - _DAY, asked.now, "")
    found = asked.call(asked.tools.list_incidents, start=day.start, end=day.end, about=about)
    if found.items:
        answer.say(
            f"In the last 24 hours there {'was' if found.total == 1 else 'were'} "
            f"{plural(found.total, 'incident')}:"
        )
        for one in found.items[:3]:
            answer.item(brief_line(one, asked, answer))
    return answer


def _least(severity: str | None) -> str:
    if severity is None:
        return ""
    return "critical" if severity == "critical" else f"{severity} or worse"


def worst_answer(asked: Asked) -> Answer:
    """The gravest incident of a stretch."""
    span = list_span(asked)
    found = asked.call(asked.tools.list_incidents, start=span.start, end=span.end, about=names_of(asked))
    answer = Answer()
    if not found.items:
        answer.say(f"No incident {between(span, asked.now)}, so none is the worst.")
        return answer
    worst = found.items[0]
    answer.say(f"The worst of {plural(found.total, 'incident')} {between(span, asked.now)}:")
    answer.item(brief_line(worst, asked, answer))
    return answer


def anomaly_line(one: Anomaly, asked: Asked, answer: Answer) -> str:
    """One anomaly in a line."""
    chip = answer.cite("anomaly", one.id)
    moved = {"up": "rose", "down": "fell", "both": "moved"}[one.direction]
    until = "still going on" if one.ended_at is None else f"until {clock(one.ended_at, asked.now)}"
    name = one.affected_metrics[0]
    value = (
        f" to {figure(one.value, unit_named_in(name))}" if one.value is not None and _has_value(one) else ""
    )
    # A joint score has no value and no onset of its own, and a change of level is smeared over some steps.
    when = "at" if is_sharp(one) else "from about"
    return (
        f"{chip} {one.severity} {one.anomaly_type.replace('_', ' ')}: "
        f"{short(name)} {moved}{value} {when} {clock(one.timestamp, asked.now)} UTC, {until}"
    )


def _has_value(one: Anomaly) -> bool:
    """What moved one way has a value that it moved to."""
    return is_sharp(one) and one.direction != "both"


def is_sharp(one: Anomaly) -> bool:
    """Whether an anomaly has an instant at which it began, and a value then."""
    return one.method not in {"pca", "changepoint"} and one.anomaly_type != "multivariate"


def list_anomalies_answer(asked: Asked) -> Answer:
    """Single anomalies with the asked severity and status."""
    question = asked.question
    if question.strangers:
        return missing_answer(asked)
    span, about = list_span(asked), names_of(asked)
    found = asked.call(
        asked.tools.list_anomalies,
        start=span.start,
        end=span.end,
        min_severity=question.severity or "low",
        status=question.status,
        about=about,
    )
    what = " ".join(filter(None, [question.status or "", _least(question.severity), "anomaly"]))
    subject = f" on {listed(about)}" if about else ""
    answer = Answer()
    if not found.items:
        answer.say(f"No {what}{subject} began {between(span, asked.now)}.")
        return answer
    answer.say(f"{plural(found.total, what)}{subject} began {between(span, asked.now)}:")
    for one in found.items[:MAX_LINES]:
        answer.item(anomaly_line(one, asked, answer))
    if found.total > MAX_LINES:
        answer.say(f"{found.total - MAX_LINES} more, less severe.")
    return answer


def compare_incidents_answer(asked: Asked) -> Answer:
    """How many incidents there were in two stretches."""
    spans = asked.question.spans
    first = spans[0] if spans else list_span(asked)
    second = spans[1] if len(spans) > 1 else first.shifted(-max(_DAY, first.length))
    if first.day and first.end <= asked.now and len(spans) == 1:
        now = asked.now.replace(hour=0, minute=0, second=0, microsecond=0)
        first, second = Span(now, asked.now, "today"), replace(first, text="")
    answer = Answer()
    counts = []
    for span in (first, second):
        found = asked.call(asked.tools.list_incidents, start=span.start, end=span.end, about=names_of(asked))
        counts.append(found.total)
        count = plural(found.total, "incident") if found.total else "No incident"
        answer.say(f"{count} {between(span, asked.now)}{':' if found.items else '.'}")
        for one in found.items[:3]:
            answer.item(brief_line(one, asked, answer))
    return answer


def similar_answer(asked: Asked, incident_id: str) -> Answer:
    """Earlier incidents with the same cause."""
    found = asked.call(asked.tools.similar_incidents, incident_id=incident_id)
    answer = Answer()
    chip = answer.cite("incident", found.of)
    if found.cause is None:
        answer.say(f"{chip} has no cause yet, so I cannot say whether it happened before.")
        return answer
    cause = found.cause.replace("_", " ")
    if not found.items:
        answer.say(f"No earlier incident is stored with the cause of {chip} ({cause}).")
        return answer
    answer.say(
        f"{plural(len(found.items), 'earlier incident').capitalize()} with the cause of {chip} ({cause}):"
    )
    for one in found.items:
        chip = answer.cite("incident", one.id)
        text = f"{chip} at {clock(one.started_at, asked.now)} UTC: {short_title(one.title)}"
        if one.minutes is not None:
            text += f", lasted {lasting(timedelta(minutes=one.minutes))}"
        text += f", people judged the diagnosis {one.verdict.replace('_', ' ')}" if one.verdict else ""
        answer.item(text)
    return answer
