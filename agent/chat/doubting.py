"""Answers to who doubts or looks back: what speaks against a cause, is it over, what was done last time."""

from datetime import timedelta

from agent.chat.asked import Answer, Asked
from agent.chat.reasons import diagnosis_of, fact_text, find_incident
from agent.chat.results import IncidentDetail
from agent.chat.wording import clock, lasting, listed, one_line, percent, plain, plural, short_title
from domain.diagnosis import Diagnosis, Hypothesis

MAX_FACTS = 5
MAX_ACTIONS = 6


def against_answer(asked: Asked) -> Answer:
    """What speaks against the leading cause, and what else it could be."""
    detail = find_incident(asked)
    if isinstance(detail, Answer):
        return detail
    diagnosis = diagnosis_of(asked, detail)
    answer = Answer()
    chip = answer.cite("incident", detail.incident.id)
    if diagnosis is None or diagnosis.primary_hypothesis is None:
        answer.say(f"{chip} has no cause yet that anything could speak against; ask me to diagnose it.")
        return answer
    primary = diagnosis.primary_hypothesis
    source = f"{chip} {answer.cite('diagnosis', diagnosis.id)}"
    facts = {one.id: one for one in diagnosis.evidence}
    named = [one for one in primary.contradicting if one in facts]
    sure = f"“{one_line(primary.title)}” ({percent(primary.confidence)})"
    if named:
        answer.say(f"Against {sure} {source} speaks:")
        for one in named[:MAX_FACTS]:
            answer.item(fact_text(answer, facts[one]))
    else:
        answer.say(f"No fact that was found speaks against {sure} {source}.")
    _say_others(answer, diagnosis, primary)
    if primary.separating_check:
        answer.say(f"What would tell: {one_line(primary.separating_check)}")
    return answer


def _say_others(answer: Answer, diagnosis: Diagnosis, primary: Hypothesis) -> None:
    facts = {one.id: one for one in diagnosis.evidence}
    others = [one for one in diagnosis.alternative_hypotheses if one.cause != primary.cause][:3]
    answer.say("What else it could be:" if others else "No other cause was in question.")
    for one in others:
        where = f" at {one_line(one.component)}" if one.component else ""
        told = f"{one_line(one.title)}{where}, {percent(one.confidence)}"
        sides = (("for it", one.supporting), ("against it", one.contradicting))
        for word, ids in sides if one.cause != "unknown" else ():
            known = next((name for name in ids if name in facts), None)
            told += f"; {word}: {fact_text(answer, facts[known])}" if known else ""
        answer.item(told)


def significant_answer(asked: Asked) -> Answer:
    """How far from chance the facts behind the cause are, after correction for all that was tested."""
    detail = find_incident(asked)
    if isinstance(detail, Answer):
        return detail
    diagnosis = diagnosis_of(asked, detail)
    answer = Answer()
    chip = answer.cite("incident", detail.incident.id)
    if diagnosis is None or diagnosis.primary_hypothesis is None:
        answer.say(f"{chip} has not been diagnosed yet, so nothing was tested; ask me to diagnose it.")
        return answer
    facts = {one.id: one for one in diagnosis.evidence}
    named = [facts[one] for one in diagnosis.primary_hypothesis.supporting if one in facts]
    tested = [one for one in named if one.q_value is not None][:MAX_FACTS]
    source = f"{chip} {answer.cite('diagnosis', diagnosis.id)}"
    if not tested:
        answer.say(f"None of the facts behind the cause of {source} was put to a test.")
    else:
        answer.say(
            f"The facts behind the cause of {source}, with the share of false finds at their strength (q):"
        )
    for one in tested:
        answer.item(f"{fact_text(answer, one)} q = {plain(one.q_value or 0.0)}")
    whole = next((one for one in diagnosis.evidence if one.kind == "normal"), None)
    if whole is not None:
        answer.say(fact_text(answer, whole))
    return answer


def over_answer(asked: Asked) -> Answer:
    """Yes or no first."""
    detail = find_incident(asked)
    if isinstance(detail, Answer):
        return detail
    incident, answer = detail.incident, Answer()
    chip = answer.cite("incident", incident.id)
    length = lasting(timedelta(minutes=detail.minutes))
    title = short_title(incident.title)
    if incident.ended_at is None:
        going = sum(one.ended_at is None for one in detail.anomalies)
        answer.say(
            f"No: {chip} ({title}) has been going on since {clock(incident.started_at, asked.now)} UTC, "
            f"for {length} now; "
            f"{going} of {plural(len(detail.anomalies), 'anomaly')} have not ended."
        )
    else:
        ended = clock(incident.ended_at, asked.now)
        answer.say(f"Yes: {chip} ({title}) ended at {ended} UTC, after {length}.")
    _say_open(asked, answer, incident.id)
    return answer


def _say_open(asked: Asked, answer: Answer, but: str) -> None:
    found = asked.call(asked.tools.desk_status)
    others = [one for one in found.open if one.id != but and one.ended_at is None]
    if others:
        chips = [answer.cite("incident", one.id) for one in others[:5]]
        answer.say(f"Also going on: {listed(chips)}.")


def last_time_answer(asked: Asked) -> Answer:
    """What was done about the incidents with the same cause, or recommended where nobody noted it."""
    detail = find_incident(asked)
    if isinstance(detail, Answer):
        return detail
    found = asked.call(asked.tools.similar_incidents, incident_id=detail.incident.id)
    answer = Answer()
    chip = answer.cite("incident", found.of)
    if found.cause is None:
        answer.say(f"{chip} has no cause yet, so I cannot say which earlier incident was like it.")
        return answer
    if not found.items:
        answer.say(
            f"There is no last time: no earlier incident is stored with the cause of {chip} "
            f"({found.cause.replace('_', ' ')})."
        )
        return answer
    for one in found.items[:2]:
        _say_done(asked, answer, asked.call(asked.tools.get_incident, incident_id=one.id))
    return answer


def _say_done(asked: Asked, answer: Answer, then: IncidentDetail) -> None:
    incident, diagnosis = then.incident, then.diagnosis
    chip = answer.cite("incident", incident.id)
    started = clock(incident.started_at, asked.now)
    length = lasting(timedelta(minutes=then.minutes))
    answer.say(f"{chip} ({short_title(incident.title)}) at {started} UTC, {length} long:")
    actions = diagnosis.immediate_actions if diagnosis else ()
    done = [one for one in actions if one.done]
    if diagnosis is not None:
        answer.cite("diagnosis", diagnosis.id)
    for action in done[:MAX_ACTIONS]:
        answer.item(f"done by {one_line(action.done_by or 'somebody')}: {one_line(action.text)}")
    if not done:
        answer.item("nobody noted what was done" + ("; recommended was:" if actions else ""))
        for action in actions[:MAX_ACTIONS]:
            answer.item(one_line(action.text))
