"""Slack's Block Kit: a notice as blocks, within all of Slack's limits."""

import re
from typing import Any

from alerts.notice import Notice
from alerts.summary import Candidate, Movement, Summary, Verdict, clock_time, duration
from alerts.text import code, cut, cut_escaped, escape, heading, mrkdwn
from domain.anomaly import Severity

MAX_BLOCKS = 50
MAX_SECTION = 3_000
MAX_HEADER = 150
MAX_TOTAL = 12_000  # Slack refuses messages whose blocks hold more than about 13,200 characters
MAX_FALLBACK = 1_500
DIGEST_LINE = 220
MARKS: dict[Severity, str] = {"low": "⚪", "medium": "🟡", "high": "🟠", "critical": "🔴"}
POSSIBLE_REPEAT = "Possible repeat: an earlier attempt to send this was not confirmed."

ACKNOWLEDGE = "incident.acknowledge"
SNOOZE = "incident.snooze"
DIAGNOSE_AGAIN = "incident.diagnose"
CORRECT = "diagnosis.correct"
WRONG = "diagnosis.wrong"
OPEN = "incident.open"
SNOOZES: tuple[tuple[str, int], ...] = (
    ("30 minutes", 1_800),
    ("2 hours", 7_200),
    ("8 hours", 28_800),
    ("24 hours", 86_400),
)

Block = dict[str, Any]
_SLACK_USER = re.compile(r"slack:([UW][A-Z0-9]{2,30})", re.ASCII)


def render(notice: Notice, *, marked: bool, buttons: bool = True) -> dict[str, Any]:
    """The `text` and `blocks` of a message.

    Args:
        notice: what to tell.
        marked: say that it may be a repeat.
        buttons: whether somebody answers them; the link to the dashboard is always there.
    """
    blocks = _digest(notice) if notice.digest else _incident(notice, buttons=buttons)
    if notice.escalation is not None:
        blocks.insert(1, context(escalated(notice.escalation)))
    if marked:
        blocks.insert(1, context(POSSIBLE_REPEAT))
    return {"text": fallback(notice, marked=marked), "blocks": fit(blocks)}


def fallback(notice: Notice, *, marked: bool) -> str:
    """The text of notifications and of clients that show no blocks; escaped."""
    prefix = f"{POSSIBLE_REPEAT} " if marked else ""
    if notice.digest:
        ids = ", ".join(one.incident_id for one in notice.summaries)
        return cut_escaped(f"{prefix}{mrkdwn(notice.digest, 200)}: {escape(ids)}", MAX_FALLBACK)
    first = notice.summaries[0]
    if notice.escalation is not None:
        prefix += f"{escalated(notice.escalation)} "
    parts = [f"{_heading(first)} ({escape(first.incident_id)})", f"since {clock_time(first.since)}"]
    if first.money:
        parts.append(escape(first.money))
    if first.cause:
        parts.append(f"likely cause: {_candidate(first.cause)}")
    return cut_escaped(prefix + ", ".join(parts), MAX_FALLBACK)


def escalated(step: int) -> str:
    """Why somebody hears of an incident that others know already."""
    return f"Escalation {step}: nobody had acknowledged this."


def fit(blocks: list[Block]) -> list[Block]:
    """Drop what is over Slack's number of blocks or its total of characters; the last block (links) stays."""
    if not blocks:
        return blocks
    *body, last = blocks
    kept: list[Block] = []
    total = _size(last)
    for block in body:
        total += _size(block)
        if total > MAX_TOTAL or len(kept) >= MAX_BLOCKS - 2:
            kept.append(context("Cut to what Slack shows; the rest is on the dashboard."))
            break
        kept.append(block)
    return [*kept, last]


def _incident(notice: Notice, *, buttons: bool) -> list[Block]:
    first, joined = notice.summaries[0], notice.summaries[1:]
    line = f"{_mark(first)} {_state(first).upper()} · {heading(first.title, 120)}"
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": cut(line, MAX_HEADER), "emoji": False}},
        _fields(first, notice),
    ]
    if first.moved:
        blocks.append(_section(_moved(first)))
    if diagnosed := _diagnosed(first):
        blocks.append(_section(diagnosed))
    if first.actions:
        steps = "\n".join(f"{n}. {mrkdwn(text, 400)}" for n, text in enumerate(first.actions, 1))
        blocks.append(_section(f"*First actions*\n{steps}"))
    if joined:
        again = "\n".join(line_of(one) for one in joined[-10:])
        blocks.append(_section(f"*Again within the cooldown* ({len(joined)})\n{again}"))
    blocks.append(_buttons(first) if buttons else _link(first))
    return blocks


def _digest(notice: Notice) -> list[Block]:
    line = f"{len(notice.summaries)} incidents · {heading(notice.digest or '', 110)}"
    blocks: list[Block] = [
        {"type": "header", "text": {"type": "plain_text", "text": cut(line, MAX_HEADER), "emoji": False}}
    ]
    lines = [line_of(one) for one in notice.summaries]
    shown = _fitting(lines, MAX_TOTAL - 4_000)
    blocks.extend(sections(lines[:shown]))
    if rest := [escape(one.incident_id) for one in notice.summaries[shown:]]:
        blocks.extend(sections(_packed("Also: ", rest)))
    page = notice.summaries[0].url.rsplit("/incidents/", 1)[0]
    blocks.append(context(f"<{escape(page)}/|Open the dashboard>"))
    return blocks


def _fields(summary: Summary, notice: Notice) -> Block:
    until = summary.ended_at or notice.now
    state = {
        "open": "Open",
        "acknowledged": f"Acknowledged by {person(summary.assignee or 'somebody')}",
        "resolved": "Resolved",
    }[summary.status]
    if summary.status != "resolved" and summary.snoozed_until and summary.snoozed_until > notice.now:
        state += f", snoozed until {clock_time(summary.snoozed_until)}"
    facts = [
        f"*Severity*\n{summary.severity}",
        f"*Since*\n{clock_time(summary.since)} ({duration(summary.since, until)})",
        f"*Status*\n{state}",
        f"*Incident*\n{escape(summary.incident_id)}",
    ]
    if summary.money:
        facts.insert(2, f"*Money*\n{escape(summary.money)}")
    return {"type": "section", "fields": [_mrkdwn(cut_escaped(fact, 2_000)) for fact in facts]}


def _moved(summary: Summary) -> str:
    lines = [_movement(one) for one in summary.moved]
    if trend := summary.trend:
        lines.insert(0, f"`{trend.bars}` {code(trend.series, 240)} from {trend.low} to {trend.high}")
    if summary.moved_more:
        lines.append(f"and {summary.moved_more} more")
    return "*What moved*\n" + "\n".join(lines)


def _movement(movement: Movement) -> str:
    return f"{MARKS[movement.severity]} {code(movement.series, 240)} {escape(movement.change)}"


def _diagnosed(summary: Summary) -> str:
    if summary.cause:
        lines = [f"*Likely cause*\n{_candidate(summary.cause)}"]
        if summary.rivals:
            lines.append("Rivals: " + "; ".join(_candidate(one) for one in summary.rivals))
        if summary.verdict:
            lines.append(_verdict(summary.verdict))
        return "\n".join(lines)
    if not summary.undecided:
        return ""
    lines = [f"*Cause*\n{escape(summary.undecided)}"]
    if summary.rivals:
        lines.append("Candidates: " + "; ".join(_candidate(one) for one in summary.rivals))
    if summary.verdict:
        lines.append(_verdict(summary.verdict))
    return "\n".join(lines)


def _verdict(verdict: Verdict) -> str:
    said = {"correct": "Confirmed", "incorrect": "Judged wrong"}.get(verdict.said, "Judged partly right")
    cause = f": it was {mrkdwn(verdict.cause.replace('_', ' '), 100)}" if verdict.cause else ""
    return f"_{said} by {person(verdict.author)}{cause}_"


def person(name: str) -> str:
    """A name as text; somebody known by an id of Slack's is shown by the name that Slack has."""
    if found := _SLACK_USER.fullmatch(name):
        return f"<@{found[1]}>"
    return mrkdwn(name, 80)


def _candidate(candidate: Candidate) -> str:
    where = f" ({code(candidate.component, 100)})" if candidate.component else ""
    return f"{mrkdwn(candidate.title, 300)}{where}, {candidate.percent} %"


def line_of(summary: Summary) -> str:
    """One incident in a list, with its own link."""
    name = f"<{escape(summary.url)}|{escape(summary.incident_id)}>"
    money = f", {escape(summary.money.split(' (')[0])}" if summary.money else ""
    state = "" if summary.status == "open" else f", {summary.status}"
    return f"{_mark(summary)} {name} {mrkdwn(summary.title, DIGEST_LINE)}{money}{state}"


def _heading(summary: Summary) -> str:
    return f"{_mark(summary)} {_state(summary).upper()} {mrkdwn(summary.title, 300)}"


def _mark(summary: Summary) -> str:
    return "🟢" if summary.status == "resolved" else MARKS[summary.severity]


def _state(summary: Summary) -> str:
    return "resolved" if summary.status == "resolved" else summary.severity


def _buttons(summary: Summary) -> Block:
    buttons: list[Block] = []
    if summary.status == "open":
        buttons.append({**_button("Acknowledge", ACKNOWLEDGE, summary.incident_id), "style": "primary"})
    buttons.append(_button("Diagnose again", DIAGNOSE_AGAIN, summary.incident_id))
    if summary.diagnosis_id:
        buttons.append(_button("Correct", CORRECT, summary.diagnosis_id))
        buttons.append(_button("Wrong", WRONG, summary.diagnosis_id))
    if summary.status != "resolved":
        buttons.append(_snooze(summary.incident_id))
    buttons.append({**_button("Open in dashboard", OPEN, summary.incident_id), "url": summary.url})
    return {"type": "actions", "block_id": f"incident:{summary.incident_id}"[:255], "elements": buttons}


def _link(summary: Summary) -> Block:
    return context(f"<{escape(summary.url)}|Open in dashboard>")


def _snooze(incident_id: str) -> Block:
    options = [
        {"text": {"type": "plain_text", "text": words, "emoji": False}, "value": f"{incident_id}:{seconds}"}
        for words, seconds in SNOOZES
    ]
    placeholder = {"type": "plain_text", "text": "Snooze", "emoji": False}
    return {"type": "static_select", "action_id": SNOOZE, "placeholder": placeholder, "options": options}


def _button(label: str, action: str, value: str) -> Block:
    text = {"type": "plain_text", "text": label, "emoji": False}
    return {"type": "button", "text": text, "action_id": action, "value": value}


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(cut_escaped(text, MAX_SECTION))}


def context(text: str) -> Block:
    """Small print."""
    return {"type": "context", "elements": [_mrkdwn(cut_escaped(text, MAX_SECTION))]}


def _mrkdwn(text: str) -> Block:
    # `verbatim` keeps Slack from finding links and channels in the text by itself.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def sections(lines: list[str]) -> list[Block]:
    """Lines of markup in as few blocks as hold them; each line must fit one."""
    blocks: list[Block] = []
    while lines:
        n = max(_fitting(lines, MAX_SECTION), 1)
        blocks.append(_section("\n".join(lines[:n])))
        lines = lines[n:]
    return blocks


def _fitting(lines: list[str], room: int) -> int:
    """How many of the first lines fit."""
    for n, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            return n
    return len(lines)


def _packed(prefix: str, words: list[str]) -> list[str]:
    """Words joined by commas into lines that fit a section."""
    lines = [prefix]
    for word in words:
        if len(lines[-1]) + len(word) + 2 > MAX_SECTION - 100:
            lines.append("")
        lines[-1] += word if not lines[-1] or lines[-1] == prefix else f", {word}"
    return lines


def _size(block: Block) -> int:
    texts = [block.get("text", {}), *block.get("fields", []), *block.get("elements", [])]
    return sum(len(str(one.get("text", ""))) for one in texts if isinstance(one, dict))
