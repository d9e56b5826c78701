"""Answers about one incident: why, when, how bad, what to do, on what evidence; and starting a diagnosis."""

import re
from collections.abc import Sequence
from datetime import timedelta

from agent.chat.asked import Answer, Asked
from agent.chat.moving import movers_answer
from agent.chat.refusals import absent_answer, missing_answer
from agent.chat.results import IncidentBrief, IncidentDetail
from agent.chat.troubles import anomaly_line, is_sharp, list_span, names_of
from agent.chat.values import value_answer
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
    quoted,
    short_title,
    signed_money,
)
from domain.diagnosis import Diagnosis, Hypothesis
from domain.evidence import Evidence
from domain.incident import Incident
from domain.money import Impact

MAX_EVIDENCE = 5
# Our own sentences, not cut as quotations are.
MAX_FACT = 500
_PLACES = ("strategy", "venue", "symbol")
_RATE = re.compile(r"\b(?:per|an|each|every) hour\b|\bhourly\b|\brate\b")
_WITHOUT = re.compile(r"\bwithout\b|\bwould\b")
_FOUND = re.compile(r"\b(?:detect|notice|spot|flag|find|found|page|alert)")


def find_incident(asked: Asked) -> IncidentDetail | Answer:
    """The incident that is meant: by id, else the worst one of the time, metric and labels spoken of."""
    question = asked.question
    if question.strangers:
        return missing_answer(asked)
    if question.absent and not question.metrics:
        return absent_answer(asked, question.absent)
    for one in question.ids:
        found = incident_named(asked, one)
        if found is not None:
            return found
    span, about = list_span(asked), names_of(asked)
    for names in dict.fromkeys((tuple(about), tuple(about[1:] if question.metrics else about))):
        listing = asked.call(asked.tools.list_incidents, start=span.start, end=span.end, about=list(names))
        if listing.items and (names or not about):
            best = _likeliest(listing.items, names)
            return asked.call(asked.tools.get_incident, incident_id=best.id)
    subject = f" on {listed(about)}" if about else ""
    return Answer.refusal(f"I find no incident{subject} {between(span, asked.now)}.")


def _likeliest(items: Sequence[IncidentBrief], names: Sequence[str]) -> IncidentBrief:
    """One whose cause or title names what was asked about goes first, then an open one, then the worst."""

    def rank(one: IncidentBrief) -> tuple[int, bool]:
        told = f"{one.cause or ''} {one.title}".lower()
        return -sum(name.lower() in told for name in names), one.status == "resolved"

    return min(items, key=rank)


def incident_named(asked: Asked, identifier: str) -> IncidentDetail | None:
    """The incident of an id, also of one of its anomalies or diagnoses."""
    if identifier.startswith("I-"):
        return asked.call(asked.tools.get_incident, incident_id=identifier)
    incident_id: str | None = None
    if identifier.startswith("A-"):
        incident_id = asked.call(asked.tools.get_anomaly, anomaly_id=identifier).incident_id
    if identifier.startswith("D-"):
        incident_id = asked.call(asked.tools.get_diagnosis, diagnosis_id=identifier).incident_id
    if incident_id is None:
        return None
    return asked.call(asked.tools.get_incident, incident_id=incident_id)


def diagnosis_of(asked: Asked, detail: IncidentDetail) -> Diagnosis | None:
    """The diagnosis that was asked for by id, else that of the incident."""
    named = next((one for one in asked.question.ids if one.startswith("D-")), None)
    if named and (detail.diagnosis is None or named != detail.diagnosis.id):
        return asked.call(asked.tools.get_diagnosis, diagnosis_id=named)
    return detail.diagnosis


def why_answer(asked: Asked) -> Answer:
    """The root cause with its evidence; without one, what moved, said as such."""
    detail = find_incident(asked)
    if isinstance(detail, Answer):
        return _why_without_incident(asked, detail)
    diagnosis = diagnosis_of(asked, detail)
    answer = Answer()
    chip = answer.cite("incident", detail.incident.id)
    if diagnosis is None or diagnosis.status in {"queued", "running"}:
        answer.say(
            f"{chip} {short_title(detail.incident.title)} has not been diagnosed yet; ask me to diagnose it."
        )
        return answer
    _say_cause(answer, diagnosis, detail.incident, asked)
    return answer


def _say_cause(answer: Answer, diagnosis: Diagnosis, incident: Incident, asked: Asked) -> None:
    primary = diagnosis.primary_hypothesis
    chips = f"{answer.cite('incident', incident.id)} {answer.cite('diagnosis', diagnosis.id)}"
    started = f"{short_title(incident.title)}, since {clock(incident.started_at, asked.now)} UTC"
    if diagnosis.outcome == "no_fault":
        answer.say(f"No fault was found behind {chips} ({started}).")
    elif primary is None or diagnosis.outcome != "cause_found":
        answer.say(f"The cause of {chips} ({started}) is not known: the diagnosis is {_outcome(diagnosis)}.")
        if primary is not None and primary.cause != "unknown":
            answer.say(f"The best lead, not more: {one_line(primary.title)}, {percent(primary.confidence)}.")
    else:
        where = f" at {one_line(primary.component)}" if primary.component else ""
        answer.say(
            f"{one_line(primary.title)}{where}: {percent(primary.confidence)} sure {chips} ({started})."
        )
    if primary is not None:
        say_evidence(answer, diagnosis, primary, names_of(asked))
    others = [one for one in diagnosis.alternative_hypotheses if one.confidence >= 0.02][:3]
    if others:
        answer.say(
            "Else: " + "; ".join(f"{one_line(one.title)}, {percent(one.confidence)}" for one in others) + "."
        )
    if diagnosis.impact is not None:
        answer.say(f"Impact: {impact(diagnosis.impact)}.{_of_it(diagnosis.impact, asked)}")


def _outcome(diagnosis: Diagnosis) -> str:
    return diagnosis.outcome or diagnosis.status


def _of_it(cost: Impact, asked: Asked) -> str:
    """What of an impact is that of the labels that were named."""
    named = set(asked.question.labels)
    parts = [one for one in cost.by if (one.label, one.value) in named]
    told = [f"{one_line(one.value)} {signed_money(one.amount, cost.unit)}" for one in parts]
    return f" Of it {', '.join(told)}." if told else ""


def say_evidence(
    answer: Answer, diagnosis: Diagnosis, hypothesis: Hypothesis, about: Sequence[str] = ()
) -> None:
    """The facts for and against a hypothesis, cited; those that name what was asked about go first."""
    facts = {one.id: one for one in diagnosis.evidence}

    def names(identifier: str) -> int:
        told = " ".join((facts[identifier].statement, *facts[identifier].series)).lower()
        return -sum(one.lower() in told for one in about)

    known = sorted((one for one in hypothesis.supporting if one in facts), key=names)
    for identifier in known[:MAX_EVIDENCE]:
        answer.item(fact_text(answer, facts[identifier]))
    for identifier in hypothesis.contradicting[:2]:
        if identifier in facts and identifier not in hypothesis.supporting:
            answer.item(f"against it: {fact_text(answer, facts[identifier])}")


def fact_text(answer: Answer, fact: Evidence) -> str:
    """One fact with its chip; what it quotes stays quoted."""
    text = f"{one_line(fact.statement, MAX_FACT)} {answer.cite('evidence', fact.id)}"
    return f"{text}: {quoted(fact.quoted)}" if fact.quoted else text


def _why_without_incident(asked: Asked, said: Answer) -> Answer:
    if said.citations or asked.question.strangers or asked.question.absent:
        return said
    moved = movers_answer(asked)
    answer = Answer([*said.lines, "So there is no diagnosis to explain it. What I can see:", *moved.lines])
    answer.citations = moved.citations
    return answer


def when_answer(asked: Asked) -> Answer:
    """When it began and ended; when a series had its extreme."""
    question = asked.question
    if question.metrics and question.statistic in {"max", "min"} and not question.ids:
        return value_answer(asked)
    detail = find_incident(asked)
    if isinstance(detail, Answer):
        return detail
    incident = detail.incident
    answer = Answer()
    chip = answer.cite("incident", incident.id)
    end = incident.ended_at
    length = lasting(timedelta(minutes=detail.minutes))
    until = (
        f"ended at {clock(end, asked.now)} UTC, after {length}"
        if end
        else f"is still going on, for {length} now"
    )
    answer.say(
        f"It began at {clock(incident.started_at, asked.now)} UTC and {until} {chip} "
        f"({short_title(incident.title)})."
    )
    about = names_of(asked)
    members = [
        one
        for one in detail.anomalies
        if not about or any(about[-1] in name for name in one.affected_metrics)
    ]
    if _FOUND.search(question.text.lower()) and detail.anomalies:
        found = min(one.detected_at for one in detail.anomalies)
        later = lasting(max(found - incident.started_at, timedelta(0)))
        answer.say(f"It was found at {clock(found, asked.now)} UTC, {later} after it began.")
    sharp = [one for one in members or detail.anomalies if is_sharp(one)]
    if sharp:
        answer.say("What went first:")
        for one in sorted(sharp, key=lambda a: (a.timestamp, a.id))[:4]:
            answer.item(anomaly_line(one, asked, answer))
    return answer


def how_bad_answer(asked: Asked) -> Answer:
    """Severity, length and money of an incident."""
    detail = find_incident(asked)
    if isinstance(detail, Answer):
        return detail
    incident, diagnosis = detail.incident, diagnosis_of(asked, detail)
    answer = Answer()
    chip = answer.cite("incident", incident.id)
    cost = incident.impact or (diagnosis.impact if diagnosis else None)
    length = lasting(timedelta(minutes=detail.minutes))
    answer.say(
        f"{chip} {short_title(incident.title)} is {incident.severity}, "
        f"{plural(len(detail.anomalies), 'anomaly')}, "
        f"{'lasted' if incident.ended_at else 'going on for'} {length}."
    )
    if cost is None:
        answer.say("Its impact on PnL is not known.")
        return answer
    answer.say(f"Impact on PnL: {impact(cost)}.{_of_it(cost, asked)}")
    rate = next((one for one in diagnosis.evidence if one.kind == "impact"), None) if diagnosis else None
    if rate is not None and _RATE.search(asked.question.text.lower()):
        answer.item(fact_text(answer, rate))
    if _WITHOUT.search(asked.question.text.lower()):
        more = "more" if cost.amount < 0 else "less"
        answer.say(f"Without it about {figure(abs(cost.amount), cost.unit)} {more} would have been made.")
    for label in _PLACES:
        parts = sorted((one for one in cost.by if one.label == label), key=lambda one: one.amount)
        hurt = [
            f"{one_line(one.value)} {signed_money(one.amount, cost.unit)}" for one in parts if one.amount < 0
        ]
        if hurt:
            answer.item(f"by {label}: {', '.join(hurt[:6])}")
    if diagnosis is not None:
        answer.cite("diagnosis", diagnosis.id)
    return answer


def actions_answer(asked: Asked) -> Answer:
    """What the diagnosis recommends, the first things first."""
    detail = find_incident(asked)
    if isinstance(detail, Answer):
        return detail
    diagnosis = diagnosis_of(asked, detail)
    answer = Answer()
    chip = answer.cite("incident", detail.incident.id)
    if diagnosis is None:
        answer.say(f"{chip} has not been diagnosed yet, so nothing is recommended; ask me to diagnose it.")
        return answer
    answer.say(f"For {chip} {short_title(detail.incident.title)} {answer.cite('diagnosis', diagnosis.id)}:")
    for one in diagnosis.immediate_actions[:6]:
        back = " (reversible)" if one.reversible else ""
        done = f" (done by {one_line(one.done_by or 'somebody')})" if one.done else ""
        answer.item(f"{one.n}. {one_line(one.text)}{back}{done}")
    if not diagnosis.immediate_actions:
        answer.say("Nothing is recommended for now.")
    check = diagnosis.primary_hypothesis.separating_check if diagnosis.primary_hypothesis else None
    if check:
        answer.say(f"To be sure of the cause first: {one_line(check)}")
    return answer
