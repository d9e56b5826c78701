"""Why an anomaly was flagged, in numbers and in sentences."""

from collections.abc import Sequence

from pydantic import BaseModel

from domain.anomaly import Anomaly, Expected
from domain.feedback import Feedback


class Explanation(BaseModel):
    """What the detector saw: each number stands in one of the sentences too."""

    anomaly_id: str
    rule: str
    method: str
    score: float
    threshold: float | None
    z_score: float | None
    p_value: float | None
    value: float | None
    expected: Expected
    leading_series: str
    sentences: list[str]
    feedback: list[Feedback]


def explain(anomaly: Anomaly, feedback: Sequence[Feedback]) -> Explanation:
    """Put an anomaly into words."""
    return Explanation(
        anomaly_id=anomaly.id,
        rule=anomaly.rule,
        method=anomaly.method,
        score=anomaly.score,
        threshold=anomaly.threshold_exceeded,
        z_score=anomaly.z_score,
        p_value=anomaly.p_value,
        value=anomaly.value,
        expected=anomaly.expected,
        leading_series=anomaly.affected_metrics[0],
        sentences=_sentences(anomaly, feedback),
        feedback=list(feedback),
    )


def _sentences(anomaly: Anomaly, feedback: Sequence[Feedback]) -> list[str]:
    found = [_value_sentence(anomaly), _score_sentence(anomaly)]
    if anomaly.p_value is not None:
        found.append(f"A value this far out has probability {anomaly.p_value:.2g} in normal times.")
    if len(anomaly.affected_metrics) > 1:
        found.append(f"{len(anomaly.affected_metrics)} series contributed; the first one contributed most.")
    wrong = sum(one.verdict == "false_positive" for one in feedback)
    if feedback:
        found.append(f"People judged it {len(feedback)} times, {wrong} times as a false alarm.")
    return found


def _value_sentence(anomaly: Anomaly) -> str:
    moved = {"up": "rose", "down": "fell", "both": "moved"}[anomaly.direction]
    to = f" to {anomaly.value:.4g}" if anomaly.value is not None else ""
    low, high = anomaly.expected.low, anomaly.expected.high
    if low is not None and high is not None and anomaly.value is not None and low <= anomaly.value <= high:
        inside = f"still within the {low:.4g} to {high:.4g} of single values"
        return f"The series {moved}{to}, {inside}: its course was unusual, not this value alone."
    if low is not None and high is not None:
        return f"The series {moved}{to}; {low:.4g} to {high:.4g} was expected."
    if low is not None:
        return f"The series {moved}{to}; at least {low:.4g} was expected."
    if high is not None:
        return f"The series {moved}{to}; at most {high:.4g} was expected."
    return f"The series {moved}{to}."


def _score_sentence(anomaly: Anomaly) -> str:
    over = f", over the threshold {anomaly.threshold_exceeded:.3g}" if anomaly.threshold_exceeded else ""
    return f"Rule {anomaly.rule} scored it {anomaly.score:.3g} by {anomaly.method}{over}."
