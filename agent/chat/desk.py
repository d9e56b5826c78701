"""Answers about the desk as a whole: status, sources, rules, logs, news, cost of models, what is stored."""

from datetime import timedelta
from fnmatch import fnmatchcase

from agent.chat.asked import Answer, Asked
from agent.chat.intents import dimension_named
from agent.chat.refusals import EXAMPLES, missing_answer
from agent.chat.subject import span_or
from agent.chat.times import Span
from agent.chat.troubles import brief_line
from agent.chat.wording import between, clock, figure, lasting, listed, one_line, plain, plural, quoted
from domain.rule import Rule

_DAY = timedelta(days=1)
_EVENT_KINDS = {
    "news": ("news",),
    "headline": ("news",),
    "deploy": ("deploy",),
    "release": ("deploy",),
    "config": ("config_change",),
    "notice": ("notice",),
    "announce": ("notice",),
}


def status_answer(asked: Asked) -> Answer:
    """Is anything wrong now, and can the data be trusted."""
    found = asked.call(asked.tools.desk_status)
    answer = Answer()
    if found.open:
        answer.say(f"{plural(len(found.open), 'incident').capitalize()} open now:")
        for one in found.open[:5]:
            answer.item(brief_line(one, asked, answer))
    else:
        answer.say("No incident is open.")
    if found.sources:
        bad = f"; not ok: {listed(found.troubled_sources)}" if found.troubled_sources else ""
        answer.say(f"{found.sources_ok} of {found.sources} sources are ok{bad}.")
    cycle = found.last_cycle
    if cycle is not None and cycle.finished_at is not None:
        answer.say(
            f"The last detection cycle ended at {clock(cycle.finished_at, asked.now)} UTC "
            f"over {found.series} series."
        )
    return answer


def command_answer(asked: Asked) -> Answer:
    """Orders that the chat does not take."""
    named = next((one for one in asked.question.ids if one[0] in "AI"), None)
    answer = Answer.refusal(
        "I cannot do that: I read and explain, and start diagnoses; I change nothing else, "
        "and have no keys or passwords to show."
    )
    if named is not None:
        kind = "incidents" if named.startswith("I") else "anomalies"
        answer.say(f"To change {named}, open /{kind}/{named} on the dashboard.")
    return answer


def thanks_answer(asked: Asked) -> Answer:
    """Nothing was asked."""
    del asked
    return Answer(["You are welcome."])


def clock_answer(asked: Asked) -> Answer:
    """The service's own clock, which every relative time refers to."""
    return Answer([f"It is {asked.now:%A %Y-%m-%d %H:%M:%S} UTC on the service's clock."])


def sources_answer(asked: Asked) -> Answer:
    """Health of each source."""
    found = asked.call(asked.tools.data_sources)
    answer = Answer()
    if not found.items:
        answer.say("No source is configured; data arrive by the API alone.")
        return answer
    ok = sum(one.status == "ok" for one in found.items)
    answer.say(f"{ok} of {plural(len(found.items), 'source')} are ok:")
    for one in found.items:
        lag = f", {lasting(timedelta(seconds=one.lag_seconds))} behind" if one.lag_seconds else ""
        seen = f", last read at {clock(one.last_success_at, asked.now)} UTC" if one.last_success_at else ""
        error = f": {quoted(one.last_error)}" if one.last_error else ""
        answer.item(f"{one_line(one.name)}: {one.status.replace('_', ' ')}{seen}{lag}{error}")
    return answer


def rules_answer(asked: Asked) -> Answer:
    """What is detected, all of it or on one metric."""
    found = asked.call(asked.tools.list_rules)
    metrics = asked.question.metrics
    chosen = [one for one in found.items if not metrics or any(_matches(one, name) for name in metrics)]
    answer = Answer()
    about = f" on {listed(metrics)}" if metrics else ""
    enabled = sum(one.enabled for one in chosen)
    answer.say(f"{plural(len(chosen), 'rule')}{about}, {enabled} enabled{':' if chosen else '.'}")
    for one in chosen[:12]:
        level = f", threshold {plain(one.threshold)}" if one.threshold is not None else ""
        off = "" if one.enabled else ", disabled"
        answer.item(
            f"{one_line(one.name)}: {one_line(one.metric)} by {one.method}{level}, "
            f"calls it {one.anomaly_type}{off}"
        )
    if len(chosen) > 12:
        answer.say(f"{len(chosen) - 12} more.")
    return answer


def _matches(rule: Rule, metric: str) -> bool:
    return fnmatchcase(metric, rule.metric)


def usage_answer(asked: Asked) -> Answer:
    """Calls, tokens and cost of language models."""
    span = asked.question.span or Span(asked.now - timedelta(days=30), asked.now, "")
    found = asked.call(asked.tools.model_usage, start=span.start, end=span.end + timedelta(seconds=1))
    answer = Answer()
    if not found.calls:
        answer.say(f"No language model was called {between(span, asked.now)}: 0 tokens, $0.00.")
    else:
        cost = "a cost that is not known" if found.cost_usd is None else f"${found.cost_usd:.2f}"
        tokens = f"{found.input_tokens:,} tokens in and {found.output_tokens:,} out"
        answer.say(
            f"{plural(found.calls, 'call')} of language models {between(span, asked.now)}: {tokens}, {cost}."
        )
        for one in found.items[-7:]:
            spent = "unknown" if one.cost_usd is None else f"${one.cost_usd:.2f}"
            answer.item(f"{one.day}, {one_line(one.model)}: {plural(one.calls, 'call')}, {spent}")
    if found.budget_left_usd is not None:
        answer.say(f"${found.budget_left_usd:.2f} of today's budget are left.")
    return answer


def logs_answer(asked: Asked) -> Answer:
    """Log templates of a stretch; their text is quoted."""
    question = asked.question
    if question.strangers:
        return missing_answer(asked)
    span = span_or(asked, timedelta(hours=1))
    components = _components(asked)
    found = asked.call(asked.tools.log_templates, start=span.start, end=span.end, components=components)
    where = f" from {listed(components)}" if components else ""
    answer = Answer()
    if not found.items:
        answer.say(f"No log lines{where} {between(span, asked.now)}.")
        return answer
    answer.say(
        f"{plural(round(found.total_lines), 'log line')}{where} {between(span, asked.now)}; "
        "errors and new patterns first:"
    )
    for one in found.items:
        new = "new" if one.new else f"{figure(one.lines_before)} in as long before"
        answer.item(
            f"{one_line(one.component)} {one_line(one.level)} {plural(round(one.lines), 'time')} ({new}): "
            f"{quoted(one.template)}"
        )
    answer.say("Log text is what programs wrote; it is quoted, not believed.")
    return answer


def _components(asked: Asked) -> list[str]:
    known = asked.lexicon.values.get("component", ())
    named = [value for name, value in asked.question.labels if name == "component"]
    others = [value for name, value in asked.question.labels if name != "component"]
    return named or [one for one in known if any(one.split(":")[-1] == value for value in others)]


def events_answer(asked: Asked) -> Answer:
    """Deploys, changes, notices and headlines of a stretch; their text is quoted."""
    span = span_or(asked, _DAY)
    text = asked.question.text.lower()
    kinds = sorted({kind for word, found in _EVENT_KINDS.items() if word in text for kind in found})
    found = asked.call(asked.tools.list_events, start=span.start, end=span.end, kinds=kinds)
    values = [value.lower() for _, value in asked.question.labels]
    chosen = [
        one
        for one in found.items
        if not values or any(v in f"{one.component} {one.text}".lower() for v in values)
    ]
    what = f"{kinds[0].replace('_', ' ')} event" if len(kinds) == 1 else "event"
    answer = Answer()
    if not chosen:
        answer.say(f"No {what} {between(span, asked.now)}.")
        return answer
    total = len(chosen) if values else found.total
    answer.say(f"{plural(total, what).capitalize()} {between(span, asked.now)}, newest first:")
    for one in chosen[:10]:
        where = f" on {one_line(one.component)}" if one.component else ""
        answer.item(
            f"{clock(one.timestamp, asked.now)} UTC {one_line(one.kind.replace('_', ' '))}{where}: "
            f"{quoted(one.text)}"
        )
    return answer


def inventory_answer(asked: Asked) -> Answer:
    """What is stored: strategies, venues, metrics, series."""
    values = asked.lexicon.values
    listing = asked.call(asked.tools.list_series, limit=1_000)
    answer = Answer()
    wanted = asked.question.dimension or dimension_named(asked.question.text.lower())
    if wanted and wanted in values:
        answer.say(f"{plural(len(values[wanted]), wanted).capitalize()}: {listed(values[wanted], 40)}.")
        return answer
    if wanted:
        answer.answered = False
        answer.say(f"No stored series has the label {wanted}.")
        return answer
    metrics = sorted({one.metric for one in listing.items})
    answer.say(f"{listing.total} series of {plural(len(metrics), 'metric')}: {listed(metrics, 60)}.")
    for name, found in sorted(values.items()):
        answer.item(f"{name}: {listed(found, 12)}")
    return answer


def help_answer(asked: Asked) -> Answer:
    """What can be asked."""
    del asked
    answer = Answer()
    answer.say(
        "I answer questions about this desk from stored data, with sources, and say so where I have none. "
        "For example:"
    )
    for example in EXAMPLES:
        answer.item(example)
    answer.item("what moved with pnl this morning?")
    answer.item("any news or deploys since yesterday?")
    answer.item("has this happened before?")
    answer.say(
        "Times are UTC: since 09:00, yesterday afternoon, last 30 minutes, between 9 and 10, on Tuesday."
    )
    return answer
