"""Objects as Markdown: the twin of each page, copied into tickets and messages. Foreign text is defused."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from domain.anomaly import Anomaly
from domain.diagnosis import Action, Diagnosis, Hypothesis, Step
from domain.evidence import Evidence
from domain.incident import Incident
from domain.money import Impact, format_money
from domain.timestamps import format_rfc3339

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#!~])")
_LINES = re.compile(r"\s*[\r\n\u2028\u2029]+\s*")
# Controls, and the marks that turn the direction of what follows: text must not look like other text.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
_SAFE_BOLD = re.compile(r"\\\*\\\*(.+?)\\\*\\\*")


def plain(text: str) -> str:
    """One line of foreign text in which nothing is Markdown or HTML."""
    return _SPECIAL.sub(r"\\\1", visible(text).strip())


def visible(text: str) -> str:
    """Foreign text on one line, each invisible mark shown as a replacement character."""
    return _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", _LINES.sub(" ", text))


def paragraphs(text: str) -> str:
    """Foreign text of several paragraphs: bold survives, nothing else does."""
    return "\n\n".join(
        _SAFE_BOLD.sub(r"**\1**", plain(block)) for block in re.split(r"\n\s*\n", text) if block.strip()
    )


def code(text: str) -> str:
    """Foreign text as a code span."""
    return f"`{visible(text).replace('`', chr(0x2032)).strip()}`"


def share(value: float) -> str:
    """A probability as a whole percentage; nothing but certainty itself is called certain."""
    return "> 99%" if 0.995 <= value < 1 else "< 1%" if 0 < value < 0.005 else f"{value:.0%}"


def incident_report(incident: Incident, anomalies: Sequence[Anomaly], diagnosis: Diagnosis | None) -> str:
    """An incident with its anomalies and, where there is one, its diagnosis."""
    parts = [
        f"# {incident.severity.upper()} {incident.id}: {plain(incident.title)}",
        _list(
            f"Status: {incident.status}",
            f"From: {_time(incident.started_at)}",
            f"Until: {_time(incident.ended_at)}",
            f"Impact: {_impact(incident.impact)}",
            f"Assignee: {plain(incident.assignee or 'nobody')}",
        ),
        "## Anomalies",
        _list(*(_anomaly_line(one) for one in anomalies)) or "None.",
    ]
    if diagnosis is not None:
        parts.append(diagnosis_report(diagnosis, level=2))
    return _document(parts)


def anomaly_report(anomaly: Anomaly) -> str:
    """What moved, when, how far from expected."""
    return _document(
        [
            f"# {anomaly.severity.upper()} {anomaly.id}: {plain(anomaly.affected_metrics[0])}",
            _list(
                f"Type: {anomaly.anomaly_type}, {anomaly.status}",
                f"From: {_time(anomaly.timestamp)}",
                f"Until: {_time(anomaly.ended_at)}",
                f"Value: {_number(anomaly.value)}",
                f"Expected: {_number(anomaly.expected.low)} to {_number(anomaly.expected.high)}",
                f"Score: {_number(anomaly.score)} by {plain(anomaly.method)} (rule {plain(anomaly.rule)})",
                f"z: {_number(anomaly.z_score)}, p-value: {_number(anomaly.p_value)}",
                f"Confidence: {anomaly.confidence:.0%}",
                f"Incident: {anomaly.incident_id or 'none'}",
            ),
            "## Series",
            _list(*(code(name) for name in anomaly.affected_metrics)),
        ]
    )


def diagnosis_report(diagnosis: Diagnosis, level: int = 1) -> str:
    """The report of one investigation."""
    mark = "#" * level
    cause = diagnosis.primary_hypothesis
    title = plain(cause.title) if cause else (diagnosis.outcome or diagnosis.status).replace("_", " ")
    parts = [
        f"{mark} Diagnosis {diagnosis.id}: {title}",
        _list(
            f"Status: {diagnosis.status}, outcome: {(diagnosis.outcome or 'none yet').replace('_', ' ')}",
            f"Confidence: {_confidence(diagnosis)}",
            f"Window: {_time(diagnosis.start_time)} to {_time(diagnosis.end_time)}",
            f"Impact: {_impact(diagnosis.impact)}",
            f"Reasoner: {_reasoner(diagnosis)}",
        ),
        paragraphs(diagnosis.executive_summary),
        f"{mark}# Do now",
        _actions(diagnosis.immediate_actions),
        f"{mark}# Hypotheses",
        _list(*(_hypothesis_line(one) for one in _hypotheses(diagnosis))) or "None.",
        f"{mark}# How it was reasoned",
        "\n".join(f"{n}. {_step_line(step)}" for n, step in enumerate(diagnosis.steps, 1)),
        f"{mark}# Evidence",
        _list(*(_evidence_line(one) for one in diagnosis.evidence)) or "None.",
        f"{mark}# Preventive measures",
        _actions(diagnosis.preventive_measures),
        f"{mark}# Watch from now on",
        _actions(diagnosis.monitoring_recommendations),
        _beyond_the_steps(diagnosis),
    ]
    return _document(parts)


def _beyond_the_steps(diagnosis: Diagnosis) -> str:
    """The detailed analysis without what the steps have said already."""
    told = {step.text.strip() for step in diagnosis.steps}
    rest = [block for block in re.split(r"\n\s*\n", diagnosis.detailed_analysis) if block.strip() not in told]
    return paragraphs("\n\n".join(rest))


def _document(parts: Iterable[str]) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _list(*items: str) -> str:
    return "\n".join(f"- {item}" for item in items)


def _one_line(text: str) -> str:
    return paragraphs(text).replace("\n\n", " ")


def _confidence(diagnosis: Diagnosis) -> str:
    return f"{share(diagnosis.confidence_score)}{'' if diagnosis.calibrated else ' (not calibrated)'}"


def _step_line(step: Step) -> str:
    cited = "" if re.search(r"\[E\d", step.text) else _ids(step.evidence_ids)
    return f"**{step.name.replace('_', ' ').capitalize()}**: {_one_line(step.text)}{cited}"


def _hypotheses(diagnosis: Diagnosis) -> list[Hypothesis]:
    first = [diagnosis.primary_hypothesis] if diagnosis.primary_hypothesis else []
    return [*first, *diagnosis.alternative_hypotheses]


def _hypothesis_line(one: Hypothesis) -> str:
    for_, against = _ids(one.supporting, " for:"), _ids(one.contradicting, " against:")
    where = f" at {code(one.component)}" if one.component else ""
    return (
        f"{share(one.confidence)} **{plain(one.title)}**{where}: {_one_line(one.description)}{for_}{against}"
    )


def _evidence_line(one: Evidence) -> str:
    quoted = f" {code(one.quoted)}" if one.quoted else ""
    q = f" (q = {one.q_value:.2g})" if one.q_value is not None else ""
    return f"**{plain(one.id)}** {plain(one.statement)}{quoted}{q}"


def _anomaly_line(one: Anomaly) -> str:
    return (
        f"{one.id} {one.severity} {code(one.affected_metrics[0])} from {_time(one.timestamp)} ({one.status})"
    )


def _actions(actions: Sequence[Action]) -> str:
    return _list(*(f"[{'x' if one.done else ' '}] {plain(one.text)}" for one in actions)) or "Nothing."


def _ids(ids: Sequence[str], lead: str = "") -> str:
    return f"{lead} [{', '.join(plain(one) for one in ids)}]" if ids else ""


def _impact(impact: Impact | None) -> str:
    if impact is None:
        return "unknown"
    low, high = format_money(impact.low, impact.unit), format_money(impact.high, impact.unit)
    rate = (
        "" if impact.per_hour is None else f", of late {format_money(impact.per_hour, impact.unit)} per hour"
    )
    return f"{format_money(impact.amount, impact.unit)} (90 %: {low} to {high}){rate}"


def _reasoner(diagnosis: Diagnosis) -> str:
    model = f" ({plain(diagnosis.llm_model_used)})" if diagnosis.llm_model_used else ""
    fallback = f"; fell back: {plain(diagnosis.fallback_reason)}" if diagnosis.fallback_reason else ""
    return f"{diagnosis.reasoner}{model}, {diagnosis.analysis_duration:.1f} s{fallback}"


def _time(instant: datetime | None) -> str:
    return format_rfc3339(instant.replace(microsecond=0)) if instant else "ongoing"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
