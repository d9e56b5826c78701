"""Starting an investigation from the chat: the one thing that it may do beside reading."""

from datetime import datetime, timedelta

from agent.chat.asked import Answer, Asked
from agent.chat.reasons import find_incident
from agent.chat.subject import series_of, span_or
from agent.chat.times import Span
from agent.chat.wording import between, listed, short
from domain.errors import Forbidden, NotFound


def diagnose_answer(asked: Asked) -> Answer:
    """Start an investigation of what is meant; takes the role operator."""
    question = asked.question
    try:
        anomaly_id, metrics, span = _investigation(asked)
        if not metrics:
            return Answer.refusal(
                "Say what to diagnose: an anomaly such as A-12, an incident, or a metric and a time."
            )
        begun = asked.call(
            asked.tools.start_diagnosis,
            metrics=metrics,
            start=span.start,
            end=span.end,
            anomaly_id=anomaly_id,
        )
    except Forbidden as error:
        return Answer.refusal(f"I cannot start it for you: {error}.")
    answer = Answer()
    subject = listed([short(one) for one in metrics[:3]])
    answer.say(
        f"Diagnosis {answer.cite('diagnosis', begun.diagnosis_id)} of {subject} "
        f"{between(span, asked.now)} is {begun.status}."
    )
    answer.say(f"Ask me: why {question.ids[0] if question.ids else begun.diagnosis_id}?")
    return answer


def _investigation(asked: Asked) -> tuple[str | None, list[str], Span]:
    question = asked.question
    if question.metrics and not question.ids:
        found = series_of(asked)
        series = [] if isinstance(found, Answer) else [one.series for one in found[:20]]
        return None, series, span_or(asked, timedelta(hours=1))
    detail = find_incident(asked)
    if isinstance(detail, Answer):
        return None, [], span_or(asked, timedelta(hours=1))
    named = next((one for one in question.ids if one.startswith("A-")), None)
    anomalies = [one for one in detail.anomalies if named is None or one.id == named]
    if not anomalies:
        raise NotFound("anomaly", named or detail.incident.id)
    names = list(dict.fromkeys(name for one in anomalies for name in one.affected_metrics))
    start = min(one.timestamp for one in anomalies)
    return anomalies[0].id, names[:100], Span(start, _end(detail.incident.ended_at, start, asked.now), "")


def _end(ended: datetime | None, start: datetime, now: datetime) -> datetime:
    return max(ended or now, start + timedelta(seconds=1))
