"""How the fake model words what it looked up: plain sentences, figures as they came."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.chat.question import Statistic
from agent.chat.wording import figure, money, plural, short, signed_money
from evaluation.fake_model.chat_incidents import Found, diagnosis, evidence, incident, items, similar
from evaluation.fake_model.chat_planner import kinds_of
from evaluation.fake_model.chat_reader import ChatReading

_STATISTICS: Mapping[Statistic, str] = {"last": "last", "sum": "sum", "count": "n"}


def answer(reading: ChatReading) -> str:
    """The answer from what was looked up; a refusal where that is nothing."""
    question = reading.question
    missing = question.strangers or (() if question.metrics or reading.found else question.absent)
    missing = missing or (question.unknown if question.intent == "unknown" else ())
    if missing:
        named = ", ".join(f"“{one}”" for one in missing[:5])
        values = "; ".join(f"{name}: {', '.join(found)}" for name, found in reading.lexicon.values.items())
        return f"I have no data for {named}. What is stored: {values}."
    if reading.errors and not reading.found:
        return f"I cannot answer that: {reading.errors[0].partition(': ')[2] or reading.errors[0]}."
    for name, result in reversed(reading.found):
        words = _WORDS.get(name)
        if words is not None:
            return words(reading, result)
    if question.intent == "thanks":
        return "You are welcome; I cannot say more without a question."
    if question.intent == "diagnose" and not reading.may_diagnose:
        return "I cannot start a diagnosis for you: that takes the role operator."
    return (
        "I cannot answer that: I know what is stored about this desk alone. "
        "For example: what happened today? why did pnl drop?"
    )


def _statistics(reading: ChatReading, result: Found) -> str:
    question = reading.question
    wanted = question.statistic or ("mean" if question.spans and not question.spans[0].instant else "last")
    name = _STATISTICS.get(wanted, wanted)
    found = [one for one in items(result) if one.get(name) is not None]
    if not found:
        return "I have no data for that in this time."
    if wanted == "sum" and len(found) > 1 and "sum_of_sums" in result:
        total = figure(float(result["sum_of_sums"]), str(found[0].get("unit", "")))
        return f"The sum over {len(found)} series is {total}."
    found.sort(key=lambda one: -float(one[name]))
    lines = [f"{short(str(one['series']))}: {wanted} {figure(float(one[name]), _unit(one))}" for one in found]
    if len(found) > 1 and question.dimension:
        top = found[0]
        lines.insert(
            0, f"{short(str(top['series']))} has the highest, {figure(float(top[name]), _unit(top))}."
        )
    return lines[0] + "." if len(lines) == 1 else "\n".join(_listed(lines[:12]))


def _listed(lines: Sequence[str]) -> list[str]:
    return [line if line.endswith(".") else f"- {line}" for line in lines]


def _unit(one: Found) -> str:
    return str(one.get("unit", ""))


def _money(reading: ChatReading, result: Found) -> str:
    unit = str(result.get("unit", ""))
    start, end = (str(result[name])[:16].replace("T", " ") for name in ("start", "end"))
    total = f"{result['metric']} was {signed_money(float(result['amount']), unit)} from {start} to {end} UTC"
    parts = [one for one in result.get("parts", ()) if isinstance(one, Mapping)]
    if not parts:
        return f"{total}."
    ranked = sorted(parts, key=lambda one: float(one["amount"]), reverse="best" in reading.question.text)
    worst, lost = ranked[0], float(ranked[0]["amount"])
    lead = f"{worst['name']} {'lost the most' if lost < 0 else 'made the least'}, {signed_money(lost, unit)}."
    if any(word in reading.question.text.lower() for word in ("made the most", "best", "earned the most")):
        best = max(parts, key=lambda one: float(one["amount"]))
        lead = f"{best['name']} made the most, {signed_money(float(best['amount']), unit)}."
    lines = [f"- {one['name']}: {signed_money(float(one['amount']), unit)}" for one in ranked]
    return "\n".join([lead, f"{total}:", *lines])


def _compared(_reading: ChatReading, result: Found) -> str:
    whole = result.get("whole")
    rows = [whole] if isinstance(whole, Mapping) else items(result)
    lines = []
    for one in rows[:12]:
        if one.get("value") is None or one.get("other") is None:
            continue
        unit = _unit(one)
        name = "In sum" if one is whole else short(str(one["series"]))
        now, other = float(one["value"]), float(one["other"])
        shown = money if unit == "USD" else figure
        line = f"{name}: {shown(now, unit)}, {'more' if now > other else 'less'} than {shown(other, unit)}"
        z = one.get("z")
        if z is None:
            line += f" from {_minute(result['other_start'])} to {_minute(result['other_end'])} UTC"
        else:
            line += ", not normal" if abs(float(z)) > 3 else ", within the normal range"
        lines.append(f"{line}.")
    return "\n".join(lines) if lines else "I have no data for that in this time."


def _minute(when: Any) -> str:
    return str(when)[:16].replace("T", " ")


def _brief(one: Found) -> str:
    when = str(one["started_at"])[11:16]
    cause = f"; likely cause: {one['cause']}" if one.get("cause") else ""
    return f"[{one['id']}] {one['title']} ({one['severity']}, {one['status']}), from {when}{cause}"


def _incidents(reading: ChatReading, result: Found) -> str:
    found = items(result)
    if not found:
        return "There was no incident in this time."
    if reading.question.intent == "worst":
        return f"The worst is {_brief(found[0])}."
    severity = f"{reading.question.severity} " if reading.question.severity else ""
    lines = [f"- {_brief(one)}" for one in found[:10]]
    return "\n".join([f"{plural(int(result['total']), f'{severity}incident')}:", *lines])


def _anomalies(reading: ChatReading, result: Found) -> str:
    severity = f"{reading.question.severity} or worse " if reading.question.severity else ""
    lines = [_anomaly_line(one) for one in items(result)[:8]]
    total = int(result["total"])
    noun = "anomaly" if total == 1 else "anomalies"
    return "\n".join([f"{total} {severity}{noun}:", *(f"- {one}" for one in lines)])


def _anomaly_line(one: Found) -> str:
    names = [str(name) for name in one.get("affected_metrics", ())]
    what = short(names[0]) if names else str(one["anomaly_type"])
    return f"[{one['id']}] {what}, {one['severity']}, found by {one['method']}"


def _anomaly(_reading: ChatReading, result: Found) -> str:
    part = f", part of [{result['incident_id']}]" if result.get("incident_id") else ""
    return f"{_anomaly_line(result)}, at {str(result['timestamp'])[11:16]} UTC{part}."


def _status(reading: ChatReading, result: Found) -> str:
    if reading.question.intent == "clock":
        return f"It is {str(result['now'])[11:16]} UTC."
    still = [one for one in result.get("open", ()) if isinstance(one, Mapping)]
    lines = [f"- {_brief(one)}" for one in still[:5]]
    head = f"{plural(len(still), 'incident')} open." if still else "No incident is open, 0 incidents."
    health = f"{result['sources_ok']} of {result['sources']} sources are ok." if result.get("sources") else ""
    return "\n".join(line for line in (head, *lines, health) if line)


def _movers(_reading: ChatReading, result: Found) -> str:
    lines = []
    for one in items(result):
        before, during = float(one["before"]), float(one["during"])
        went = "rose" if during > before else "fell"
        unit = _unit(one)
        lines.append(
            f"- {short(str(one['series']))} {went} from {figure(before, unit)} to {figure(during, unit)}"
        )
    return "\n".join(["Most moved:", *lines]) if lines else "Nothing moved; I have no data for more."


def _logs(_reading: ChatReading, result: Found) -> str:
    lines = [
        f"- {one['component']} {one['level']} “{one['template']}”: {float(one['lines']):.0f} lines"
        for one in items(result)
    ]
    return "\n".join(["The logs held:", *lines]) if lines else "I have no data for log lines in this time."


def _events(reading: ChatReading, result: Found) -> str:
    kind = next(iter(kinds_of(reading)), "")
    found = items(result)
    if not found:
        return f"There was no {kind or 'event'} in this time."
    lines = [f"- {str(one['timestamp'])[11:16]} {one['kind']} “{one['text']}”" for one in found]
    total = int(result["total"])
    return "\n".join([f"{total} {kind or 'event'}{'' if kind == 'news' or total == 1 else 's'}:", *lines])


def _usage(_reading: ChatReading, result: Found) -> str:
    cost = result.get("cost_usd")
    shown = "of unknown cost" if cost is None else f"for ${float(cost):.2f}"
    tokens = f"{result['input_tokens']} tokens in and {result['output_tokens']} tokens out"
    return f"{result['calls']} calls, {tokens}, {shown}."


def _sources(_reading: ChatReading, result: Found) -> str:
    lines = [f"- {one['name']}: {one['status']}" for one in items(result)]
    return "\n".join(["The sources:", *lines]) if lines else "No source is configured."


def _rules(_reading: ChatReading, result: Found) -> str:
    lines = [f"- {one['name']} on {one['metric']}" for one in items(result)[:12]]
    return "\n".join([f"{result['total']} rules:", *lines])


def _series(reading: ChatReading, result: Found) -> str:
    if reading.question.intent != "inventory":
        return "I have no data for that."
    lines = [f"- {name}: {', '.join(found)}" for name, found in reading.lexicon.values.items()]
    metrics = sorted({one for found in reading.lexicon.metrics.values() for one in found})
    return "\n".join([f"{result['total']} series are stored: {', '.join(metrics)}; of:", *lines])


def _started(_reading: ChatReading, result: Found) -> str:
    return f"Diagnosis [{result['diagnosis_id']}] is {result['status']}."


_WORDS: Mapping[str, Callable[[ChatReading, Found], str]] = {
    "series_statistics": _statistics,
    "money": _money,
    "compare_windows": _compared,
    "compare_with_usual": _compared,
    "list_incidents": _incidents,
    "list_anomalies": _anomalies,
    "get_anomaly": _anomaly,
    "get_incident": incident,
    "get_diagnosis": diagnosis,
    "get_evidence": evidence,
    "similar_incidents": similar,
    "desk_status": _status,
    "movers": _movers,
    "log_templates": _logs,
    "list_events": _events,
    "model_usage": _usage,
    "data_sources": _sources,
    "list_rules": _rules,
    "list_series": _series,
    "start_diagnosis": _started,
}
