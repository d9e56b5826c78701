"""What we answer in Slack, as messages: all that came from outside is inert text."""

import re
from collections.abc import Sequence
from typing import Any

from alerts.blocks import context, line_of, sections
from alerts.summary import Summary
from alerts.text import cut_escaped, escape, mrkdwn

MAX_FALLBACK = 1_500
MAX_LINE = 1_200
MAX_LINES = 60
_CHIP = re.compile(r"\[([AID])-([0-9]{1,12})\]")
_NUMBERED = re.compile(r"[0-9]{1,2}\. ")
_PAGES = {"A": "anomalies", "I": "incidents", "D": "diagnoses"}
HELP = """\
*Ask about the desk*
Mention me, or reply in the thread of an incident: why did it happen? since when? what does it cost?
`/analyst ask why did pnl drop?` answers you alone.

*Commands*
`/analyst status` the desk at a glance
`/analyst incidents` what is open now
`/analyst ask TEXT` a question, answered to you alone
`/analyst diagnose METRIC` investigate the last hour of a metric
`/analyst help` this text; any other words are taken as a question"""


def said(text: str) -> dict[str, Any]:
    """A sentence of ours; words from outside in it must have gone through `alerts.text` before."""
    return {"text": cut_escaped(text, MAX_FALLBACK), "blocks": sections(text.split("\n"))}


def help_message() -> dict[str, Any]:
    """What can be asked and commanded."""
    return said(HELP)


def answer_message(text: str, dashboard_url: str) -> dict[str, Any]:
    """An answer of the chat; ids in square brackets become links to the dashboard."""
    lines = [_line(line, dashboard_url.rstrip("/")) for line in text.split("\n")]
    kept = [line for line in lines if line.strip()][:MAX_LINES]
    blocks = sections(kept or ["I have nothing to say to that."])
    fallback = mrkdwn(" ".join(text.split()), MAX_FALLBACK)
    return {"text": fallback or "An answer", "blocks": blocks}


def incidents_message(summaries: Sequence[Summary], more: int, dashboard_url: str) -> dict[str, Any]:
    """The open incidents, worst first; `more` are not shown."""
    if not summaries:
        return said("No incident is open.")
    head = f"*{len(summaries) + more} open*" if summaries else ""
    lines = [head, *(line_of(one) for one in summaries)]
    if more:
        lines.append(f"and {more} more")
    link = context(f"<{escape(dashboard_url.rstrip('/'))}/|Open the dashboard>")
    return {"text": f"{len(summaries) + more} incidents are open", "blocks": [*sections(lines), link]}


def _line(line: str, dashboard_url: str) -> str:
    bullet = line.startswith("- ")
    body = line.removeprefix("- ").replace("**", "").replace("`", "")
    shown = mrkdwn(body, MAX_LINE)
    linked = _CHIP.sub(lambda found: _linked(found[1], found[2], dashboard_url), shown)
    return f"• {linked}" if bullet and not _NUMBERED.match(body) else linked


def _linked(kind: str, number: str, dashboard_url: str) -> str:
    return f"<{escape(dashboard_url)}/{_PAGES[kind]}/{kind}-{number}|{kind}-{number}>"
