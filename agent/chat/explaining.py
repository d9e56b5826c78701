"""What an id stands for: an incident, an anomaly, a diagnosis or a piece of evidence."""

from collections.abc import Sequence
from datetime import timedelta

from agent.chat.asked import Answer, Asked
from agent.chat.reasons import diagnosis_of, fact_text, find_incident, say_evidence
from agent.chat.troubles import anomaly_line, brief_line
from agent.chat.wording import clock, figure, listed, plural, quoted
from domain.anomaly import severity_rank


def explain_answer(asked: Asked) -> Answer:
    """What an id stands for; or the incident that is spoken of, with its evidence."""
    question = asked.question
    facts = [one for one in question.ids if one.startswith("E")]
    if facts:
        return _explain_evidence(asked, facts)
    anomaly = next((one for one in question.ids if one.startswith("A-")), None)
    if anomaly is not None:
        return _explain_anomaly(asked, anomaly)
    detail = find_incident(asked)
    if isinstance(detail, Answer):
        return detail
    answer = Answer()
    answer.cite("incident", detail.incident.id)
    listing = asked.call(
        asked.tools.list_incidents,
        start=detail.incident.started_at - timedelta(seconds=1),
        end=detail.incident.started_at + timedelta(seconds=1),
    )
    brief = next((one for one in listing.items if one.id == detail.incident.id), None)
    if brief is not None:
        answer.say(brief_line(brief, asked, answer))
    diagnosis = diagnosis_of(asked, detail)
    if diagnosis is not None and diagnosis.primary_hypothesis is not None:
        say_evidence(answer, diagnosis, diagnosis.primary_hypothesis)
    answer.say(f"It is made of {plural(len(detail.anomalies), 'anomaly')}:")
    graver = sorted(detail.anomalies, key=lambda one: (-severity_rank(one.severity), one.timestamp, one.id))
    for one in graver[:4]:
        answer.item(anomaly_line(one, asked, answer))
    if len(graver) > 4:
        answer.say(f"{len(graver) - 4} more; ask for the anomalies of a time or a metric to see them.")
    return answer


def _explain_anomaly(asked: Asked, identifier: str) -> Answer:
    one = asked.call(asked.tools.get_anomaly, anomaly_id=identifier)
    answer = Answer()
    answer.say(anomaly_line(one, asked, answer) + ".")
    low, high = one.expected.low, one.expected.high
    if low is not None and high is not None:
        answer.say(f"Expected was {figure(low)} to {figure(high)}.")
    answer.say(
        f"Rule {quoted(one.rule)} found it by the method {one.method}, with a score of {one.score:.3g}."
    )
    if one.incident_id:
        answer.say(f"It belongs to {answer.cite('incident', one.incident_id)}.")
    answer.rest_on(*one.affected_metrics[:3])
    return answer


def _explain_evidence(asked: Asked, wanted: Sequence[str]) -> Answer:
    detail = find_incident(asked)
    if isinstance(detail, Answer):
        return detail
    diagnosis = diagnosis_of(asked, detail)
    if diagnosis is None:
        return Answer.refusal("There is no diagnosis, so there is no evidence yet.")
    answer = Answer()
    facts = {one.id: one for one in diagnosis.evidence}
    chip = answer.cite("diagnosis", diagnosis.id)
    for identifier in wanted:
        fact = facts.get(identifier)
        if fact is None:
            answer.say(f"{chip} has no evidence {identifier}; it has {listed(list(facts))}.")
            answer.answered = False
            continue
        answer.say(
            f"{fact_text(answer, fact)} From {clock(fact.window.start, asked.now)} to "
            f"{clock(fact.window.end, asked.now)} UTC {chip}."
        )
        answer.rest_on(*fact.series[:3])
    return answer
