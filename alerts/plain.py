"""A notice as plain text, for email and pagers."""

from alerts.blocks import POSSIBLE_REPEAT, escalated
from alerts.notice import Notice
from alerts.summary import Candidate, Summary, clock_time, duration
from alerts.text import cut, inert, inert_name

MAX_SUBJECT = 150
MAX_LINE = 500


def subject_line(notice: Notice) -> str:
    """One line: severity or state, what, and how much."""
    if notice.digest:
        return cut(f"[digest] {len(notice.summaries)} incidents, {inert(notice.digest, 100)}", MAX_SUBJECT)
    first = notice.summaries[0]
    state = "resolved" if first.status == "resolved" else first.severity
    money = f", {first.money.split(' (')[0]}" if first.money else ""
    step = f"[escalation {notice.escalation}] " if notice.escalation is not None else ""
    return cut(f"{step}[{state}] {first.incident_id} {inert(first.title, 110)}{money}", MAX_SUBJECT)


def body(notice: Notice, *, marked: bool) -> str:
    """The whole message."""
    lines = [POSSIBLE_REPEAT, ""] if marked else []
    if notice.escalation is not None:
        lines += [escalated(notice.escalation), ""]
    if notice.digest:
        lines += [inert(notice.digest, MAX_LINE), ""]
        lines += [_line(one) for one in notice.summaries]
    else:
        first, joined = notice.summaries[0], notice.summaries[1:]
        lines += _story(first, notice)
        if joined:
            lines += ["", "Again within the cooldown:", *(_line(one) for one in joined)]
    return "\n".join(lines) + "\n"


def _story(summary: Summary, notice: Notice) -> list[str]:
    until = summary.ended_at or notice.now
    lines = [
        inert(summary.title, MAX_LINE),
        "",
        f"Severity: {summary.severity}",
        f"Status:   {summary.status}",
        f"Since:    {clock_time(summary.since)} ({duration(summary.since, until)})",
    ]
    if summary.money:
        lines.append(f"Money:    {summary.money}")
    if summary.moved:
        lines += ["", "What moved:"]
        lines += [f"- {inert_name(one.series, 300)}: {one.change}" for one in summary.moved]
        lines += [f"and {summary.moved_more} more"] if summary.moved_more else []
    if trend := summary.trend:
        lines += ["", f"{trend.bars}  {inert_name(trend.series, 300)} from {trend.low} to {trend.high}"]
    lines += _diagnosed(summary)
    if summary.actions:
        lines += ["", "First actions:"]
        lines += [f"{n}. {inert(text, MAX_LINE)}" for n, text in enumerate(summary.actions, 1)]
    return [*lines, "", summary.url]


def _diagnosed(summary: Summary) -> list[str]:
    if summary.cause:
        lines = ["", f"Likely cause: {_candidate(summary.cause)}"]
        return [*lines, *(f"Rival: {_candidate(one)}" for one in summary.rivals)]
    if summary.undecided:
        lines = ["", summary.undecided]
        return [*lines, *(f"Candidate: {_candidate(one)}" for one in summary.rivals)]
    return []


def _candidate(candidate: Candidate) -> str:
    where = f" ({inert_name(candidate.component, 100)})" if candidate.component else ""
    return f"{inert(candidate.title, 300)}{where}, {candidate.percent} %"


def _line(summary: Summary) -> str:
    state = "" if summary.status == "open" else f", {summary.status}"
    money = f", {summary.money.split(' (')[0]}" if summary.money else ""
    return (
        f"[{summary.severity}] {summary.incident_id} {inert(summary.title, 200)}{money}{state}: {summary.url}"
    )
