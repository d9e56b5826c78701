"""What a tool returned, as a model is shown it: the telling fields, few digits, within a number of tokens."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from agent.chat.results import IncidentDetail, SeriesInfo
from agent.model.redaction import cleaned, redacted
from agent.model.tokens import count_tokens
from domain.anomaly import Anomaly
from domain.cycle import Cycle
from domain.diagnosis import Action, Diagnosis, Hypothesis
from domain.evidence import Evidence
from domain.incident import Incident
from domain.money import Impact, ImpactPart
from domain.rule import Rule

MAX_TEXT = 300
MAX_CITED = 8
LEAST = 3
# How many entries of a list, and how many characters of a text, are left at each step.
_STEPS = ((40, 300), (20, 300), (12, 300), (8, 240), (6, 200), (4, 160), (3, 120), (2, 80), (1, 60))
_FIELDS: Mapping[type[BaseModel], tuple[str, ...]] = {
    Anomaly: (
        *("id", "timestamp", "ended_at", "status", "anomaly_type", "severity", "confidence", "rule"),
        *("method", "score", "direction", "value", "expected", "affected_metrics", "incident_id"),
    ),
    Incident: (
        *("id", "title", "status", "severity", "started_at", "ended_at", "assignee", "diagnosis_id"),
        "impact",
    ),
    Cycle: ("id", "finished_at", "status", "series", "anomalies"),
    Rule: ("name", "metric", "labels", "anomaly_type", "enabled"),
    SeriesInfo: ("series", "unit"),
    Impact: ("amount", "low", "high", "unit", "by"),
    ImpactPart: ("label", "value", "amount"),
    Hypothesis: ("title", "cause", "component", "confidence", "supporting", "contradicting"),
    Action: ("n", "text", "done"),
    Evidence: ("id", "kind", "statement", "quoted", "component"),
    Diagnosis: (
        *("id", "status", "outcome", "start_time", "end_time", "executive_summary", "confidence_score"),
        *("primary_hypothesis", "alternative_hypotheses", "impact", "immediate_actions"),
    ),
    IncidentDetail: ("incident", "minutes", "diagnosis"),
}


def digest(result: BaseModel, tokens: int) -> str:
    """The result as JSON of at most so many tokens: lists and texts are cut step by step, and say so."""
    plain = _plain(result)
    text = _json(plain)
    for most, longest in _STEPS:
        if count_tokens(text) <= tokens:
            return text
        text = _json(_shortened(plain, most, longest))
    cut = json.loads(text)
    while count_tokens(text) > tokens and _drop_largest(cut):
        text = _json(cut)
    return text


def _drop_largest(value: dict[str, Any]) -> bool:
    """Take the largest part out of a document, its identity excepted; False where nothing is left."""
    parts = [name for name in value if name not in {"id", "title", "status"}]
    if not parts:
        return False
    largest = max(parts, key=lambda name: len(_json(value[name])))
    inner = value[largest]
    if not (isinstance(inner, dict) and len(inner) > LEAST and _drop_largest(inner)):
        del value[largest]
    return True


def _json(value: Any) -> str:
    return redacted(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _fields(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, str):
        flat = " ".join(cleaned(value).split())
        return flat if len(flat) <= MAX_TEXT else f"{flat[: MAX_TEXT - 3]}..."
    return _contents(value)


def _contents(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _fields(value: BaseModel) -> dict[str, Any]:
    names = _FIELDS.get(type(value), tuple(type(value).model_fields))
    found = {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, Diagnosis):
        found["evidence"] = [_plain(one) for one in cited_evidence(value)]
    if isinstance(value, IncidentDetail):
        found["anomalies"] = [_brief(one) for one in value.anomalies]
    return {name: one for name, one in found.items() if one not in (None, "", [], {})}


def _brief(one: Anomaly) -> str:
    return f"{one.id} {one.severity} {one.affected_metrics[0]} at {one.timestamp:%H:%M}"


def cited_evidence(diagnosis: Diagnosis) -> Sequence[Evidence]:
    """The facts that the leading cause rests on, and those against it."""
    primary = diagnosis.primary_hypothesis
    wanted = (*primary.supporting, *primary.contradicting) if primary else ()
    found = [one for one in diagnosis.evidence if one.id in wanted]
    return (found or list(diagnosis.evidence))[:MAX_CITED]


def _shortened(value: Any, most: int, longest: int) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(one, most, longest) for key, one in value.items()}
    if isinstance(value, list):
        kept = [_shortened(one, most, longest) for one in value[:most]]
        return [*kept, f"... {len(value) - most} more"] if len(value) > most else kept
    if isinstance(value, str) and len(value) > longest:
        return f"{value[: longest - 3]}..."
    return value
