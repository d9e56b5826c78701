"""What the fake model looks up for a question: names of tools with their arguments."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from agent.chat.conversation import LED_UP
from agent.chat.question import Intent
from agent.chat.times import Span
from domain.timestamps import parse_rfc3339
from evaluation.fake_model.chat_reader import ChatReading

Wish = tuple[str, str]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_MONEY = "pnl"


def wishes(reading: ChatReading) -> Sequence[Wish]:
    """The next tools; none where enough is known, or where nothing stored could help."""
    question = reading.question
    blank = question.absent and not question.metrics and question.intent != "logs"
    if question.strangers or blank:
        return ()
    plan = _PLANS.get(question.intent)
    wanted = plan(reading) if plan is not None else ()
    # What was refused once is not asked for again.
    return [one for one in wanted if not any(error.startswith(f"{one[0]}:") for error in reading.errors)]


def span_of(reading: ChatReading, length: timedelta | None = None) -> Span:
    """The stretch that is meant: the named one, else the last so long, else today."""
    if reading.question.span is not None:
        return reading.question.span
    midnight = reading.now.replace(hour=0, minute=0, second=0, microsecond=0)
    return Span(midnight if length is None else reading.now - length, reading.now, "")


def wish(name: str, **arguments: Any) -> Wish:
    """A tool with its arguments as JSON."""
    return name, json.dumps(arguments, default=_time)


def _time(value: Any) -> str:
    assert isinstance(value, datetime)
    return f"{value:%Y-%m-%dT%H:%M:%SZ}"


def _labels(reading: ChatReading) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in reading.question.labels:
        found.setdefault(name, []).append(value)
    return found


def _once(reading: ChatReading, name: str, **arguments: Any) -> Sequence[Wish]:
    return () if reading.result(name) is not None else [wish(name, **arguments)]


def _series(reading: ChatReading) -> tuple[Sequence[Wish], list[str]]:
    """First find the series, then ask for their figures."""
    question = reading.question
    names = question.metrics[:2]
    listed = [result for name, result in reading.found if name == "list_series"]
    if len(listed) < len(names):
        labels = _labels(reading)
        more = {"labels": labels} if labels else {}
        return [wish("list_series", metric=name, limit=60, **more) for name in names], []
    found = [one for result in listed for one in result.get("items", ()) if isinstance(one, Mapping)]
    return (), [str(one["series"]) for one in found][:60]


def _value(reading: ChatReading) -> Sequence[Wish]:
    first, series = _series(reading)
    if first or not series or reading.result("series_statistics") is not None:
        return first
    span = span_of(reading, HOUR)
    return [wish("series_statistics", series=series, start=span.start, end=span.end)]


def _money(reading: ChatReading) -> Sequence[Wish]:
    question, span = reading.question, span_of(reading)
    labels = _labels(reading)
    given: dict[str, Any] = {
        "metric": (question.metrics or (_MONEY,))[0],
        "start": span.start,
        "end": span.end,
    }
    given |= {"labels": labels} if labels else {}
    given |= {"by": question.dimension} if question.dimension else {}
    return _once(reading, "money", **given)


def _compare(reading: ChatReading) -> Sequence[Wish]:
    question = reading.question
    first, series = _series(reading)
    if first or not series:
        return first
    if reading.result("compare_windows") is not None or reading.result("compare_with_usual") is not None:
        return ()
    total = all(name.startswith(_MONEY) for name in question.metrics)
    if len(question.spans) > 1:
        now, other = question.spans[:2]
        if other.day and now.length < DAY:
            other = now.shifted(other.start - now.start.replace(hour=0, minute=0, second=0, microsecond=0))
        pair = {"span": [now.start, now.end], "other": [other.start, other.end]}
        return [wish("compare_windows", series=series, total=total, **pair)]
    if question.spans and question.spans[0].day and question.spans[0].end < reading.now:
        midnight = reading.now.replace(hour=0, minute=0, second=0, microsecond=0)
        now = Span(midnight, reading.now, "today")
        other = now.shifted(question.spans[0].start - now.start)
        pair = {"span": [now.start, now.end], "other": [other.start, other.end]}
        return [wish("compare_windows", series=series, total=total, **pair)]
    if "yesterday" in question.text.lower():
        now = span_of(reading) if total else span_of(reading, HOUR)
        pair = {"span": [now.start, now.end], "other": [now.start - DAY, now.end - DAY]}
        return [wish("compare_windows", series=series, total=total, **pair)]
    span = span_of(reading, HOUR)
    return [wish("compare_with_usual", series=series, start=span.start, end=span.end, total=total)]


def _incidents(reading: ChatReading) -> Sequence[Wish]:
    question, span = reading.question, span_of(reading, DAY)
    given: dict[str, Any] = {"start": span.start, "end": span.end}
    given |= {"min_severity": question.severity} if question.severity else {}
    given |= {"status": question.status} if question.status else {}
    return _once(reading, "list_incidents", **given)


def _anomalies(reading: ChatReading) -> Sequence[Wish]:
    question, span = reading.question, span_of(reading, DAY)
    given: dict[str, Any] = {"start": span.start, "end": span.end}
    given |= {"min_severity": question.severity} if question.severity else {}
    return _once(reading, "list_anomalies", **given)


def _about(reading: ChatReading) -> Sequence[Wish]:
    """The incident that is meant, by its id or as the worst of the day; then its details."""
    question = reading.question
    ids = [*question.ids, *question.cited]
    facts = [one for one in question.ids if one.startswith("E")]
    whose = [one for one in ids if one.startswith("D")]
    if facts and whose:
        return _once(reading, "get_evidence", diagnosis_id=whose[0], evidence_id=facts[0])
    named = next((one for one in ids if one[0] in "IAD"), None)
    if named is None:
        listed = reading.result("list_incidents")
        if listed is None:
            return _incidents(reading)
        found = [one for one in listed.get("items", ()) if isinstance(one, Mapping)]
        named = str(found[0]["id"]) if found else None
    if named is None:
        return ()
    tool, key = {"I": ("get_incident", "incident_id"), "A": ("get_anomaly", "anomaly_id")}.get(
        named[0], ("get_diagnosis", "diagnosis_id")
    )
    if question.intent in {"similar", "last_time"} and named[0] == "I":
        tool = "similar_incidents"
    return _once(reading, tool, **{key: named})


def _diagnose(reading: ChatReading) -> Sequence[Wish]:
    question = reading.question
    if not reading.may_diagnose:
        return ()
    if not question.ids:
        first, series = _series(reading)
        span = span_of(reading, HOUR)
        asked = {"metrics": series, "start": span.start, "end": span.end}
        return first or _once(reading, "start_diagnosis", **asked)
    looked_up = _about(reading)
    detail = reading.result("get_incident") or {}
    anomaly = reading.result("get_anomaly") or next(iter(detail.get("anomalies", ())), None)
    if looked_up or not isinstance(anomaly, Mapping):
        return looked_up
    given = {"metrics": anomaly["affected_metrics"], "start": anomaly["timestamp"], "end": reading.now}
    return _once(reading, "start_diagnosis", anomaly_id=anomaly["id"], **given)


def _window(tool: str, length: timedelta) -> Callable[[ChatReading], Sequence[Wish]]:
    def plan(reading: ChatReading) -> Sequence[Wish]:
        span = span_of(reading, length)
        if reading.question.until is not None:
            detail = reading.result("get_incident")
            if detail is None:
                return _once(reading, "get_incident", incident_id=reading.question.until)
            began = parse_rfc3339(str(detail["incident"]["started_at"]))
            span = Span(began - LED_UP, began, "before it")
        given: dict[str, Any] = {"start": span.start, "end": span.end}
        components = [value for name, value in reading.question.labels if name == "component"]
        given |= {"components": components} if tool == "log_templates" and components else {}
        given |= {"kinds": kinds_of(reading)} if tool == "list_events" and kinds_of(reading) else {}
        return _once(reading, tool, **given)

    return plan


def kinds_of(reading: ChatReading) -> list[str]:
    """The kind of events that is asked for, if one is."""
    text = reading.question.text.lower()
    words = {
        "news": "news",
        "headline": "news",
        "deploy": "deploy",
        "release": "deploy",
        "config": "config_change",
    }
    return [kind for word, kind in words.items() if word in text][:1]


def _plain(tool: str) -> Callable[[ChatReading], Sequence[Wish]]:
    return lambda reading: _once(reading, tool)


_PLANS: Mapping[Intent, Callable[[ChatReading], Sequence[Wish]]] = {
    "value": _value,
    "money": _money,
    "compare": _compare,
    "what_happened": _incidents,
    "list_incidents": _incidents,
    "worst": _incidents,
    "list_anomalies": _anomalies,
    "why": _about,
    "when": _about,
    "how_bad": _about,
    "actions": _about,
    "explain": _about,
    "similar": _about,
    "last_time": _about,
    "against": _about,
    "over": _about,
    "movers": _window("movers", HOUR),
    "logs": _window("log_templates", HOUR),
    "events": _window("list_events", DAY),
    "usage": _window("model_usage", DAY),
    "status": _plain("desk_status"),
    "sources": _plain("data_sources"),
    "rules": _plain("list_rules"),
    "clock": _plain("desk_status"),
    "inventory": _plain("list_series"),
    "diagnose": _diagnose,
}
