"""The chat: the stored messages of a thread, with their steps, citations and cost, as a page or a drawer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from api.auth import Caller
from api.dashboard import fmt
from api.dashboard.overview import reasoner_words
from api.doors import Doors
from db.records import ChatMessage
from domain.errors import NotFound

_PLACES = {"anomaly": "/anomalies/{}", "incident": "/incidents/{}", "diagnosis": "/diagnoses/{}"}
_SUGGESTIONS = (
    "What is wrong right now?",
    "Why did PnL drop?",
    "What should I do first?",
    "Was it the same yesterday?",
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A step of an answer: which tool was asked, and what it gave."""

    name: str
    result: str


@dataclass(frozen=True, slots=True)
class Said:
    """A message. `question` is what an answer answers, for another try; `cost` is a line about its usage."""

    n: int
    role: str
    text: Markup
    citations: list[tuple[str, str]]
    steps: list[Taken]
    cost: str
    fallback: str
    question: str


@dataclass(frozen=True, slots=True)
class Conversation:
    thread: str
    title: str
    about: str
    about_link: str
    span: str
    messages: list[Said]
    threads: list[tuple[str, str]]
    suggestions: tuple[str, ...]
    window: str
    model: str


def conversation(
    door: Doors,
    caller: Caller,
    thread_id: str | None,
    about: str,
    brushed: tuple[int, int] | None = None,
) -> Conversation:
    """A thread of the caller's, or an empty page; raises NotFound for the thread of somebody else."""
    title = ""
    if thread_id is not None:
        thread = door.stores.chats.thread(thread_id)
        if thread.owner != caller.name and caller.role != "admin":
            raise NotFound("thread", thread_id)
        title = thread.title
    said = door.stores.chats.messages(thread_id) if thread_id else []
    asked = ["", *(one.text for one in said)]
    threads = door.stores.chats.list(owner=caller.name, limit=20).items
    now = door.service.now()
    span = _span(brushed, now)
    return Conversation(
        thread=thread_id or "",
        title=title,
        about=about,
        about_link=_link_of(about),
        span=span,
        messages=[said_of(door, one, asked[i]) for i, one in enumerate(said)],
        threads=[(one.id, one.title) for one in threads],
        suggestions=_SUGGESTIONS,
        window=span or "the last 24 h",
        model=reasoner_words(door),
    )


def said_of(door: Doors, one: ChatMessage, question: str) -> Said:
    """A message as it is shown: foreign text escaped, citations as links to what they name."""
    cited = [(str(cite.get("kind")), str(cite.get("id", ""))) for cite in one.citations]
    # Evidence is numbered within a diagnosis: the one that the answer cites beside it.
    diagnosis = next((target for kind, target in cited if kind == "diagnosis"), "")
    places = {target: _place(kind, target, diagnosis) for kind, target in cited}
    events = _events(door, one)
    return Said(
        n=one.n,
        role=one.role,
        text=fmt.rich_text(one.text, places=places),
        citations=list(places.items()),
        steps=_steps(one, events),
        cost=_cost(events),
        fallback=str(_last(events, "run.finished").get("fallback_reason") or ""),
        question=question if one.role == "assistant" else "",
    )


def _events(door: Doors, one: ChatMessage) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """The stored run of an answer; retention may have removed it."""
    if one.role != "assistant" or one.run_id is None:
        return []
    return [(event.type, event.data) for event in door.stores.runs.after(one.run_id, 0)]


def _last(events: Sequence[tuple[str, Mapping[str, Any]]], kind: str) -> Mapping[str, Any]:
    return next((data for event, data in reversed(events) if event == kind), {})


def _steps(one: ChatMessage, events: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Taken]:
    started = [data for event, data in events if event == "tool.started"]
    ended = {data.get("id"): data for event, data in events if event == "tool.finished"}
    if not started:
        return [Taken(str(call.get("name", "")), "") for call in one.tool_calls]
    return [Taken(str(step.get("name", "")), _result(ended.get(step.get("id"), {}))) for step in started]


def _result(ended: Mapping[str, Any]) -> str:
    parts = []
    if ended.get("rows") is not None:
        parts.append(f"{ended['rows']} row{'' if ended['rows'] == 1 else 's'}")
    if ended.get("ms") is not None:
        parts.append(fmt.milliseconds(float(ended["ms"])))
    if ended.get("error"):
        parts.append(str(ended["error"])[:200])
    return ", ".join(parts)


def _cost(events: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """`812 tokens, $0.0031, 0.6 s`; a price that is not known is said."""
    usage, ended = _last(events, "usage"), _last(events, "run.finished")
    if not usage:
        return ""
    tokens = int(usage.get("input_tokens") or 0) + int(usage.get("output_tokens") or 0)
    cost = usage.get("cost_usd")
    price = "cost unknown" if cost is None else f"${cost:.4f}" if cost else "$0.00"
    took = f", {fmt.milliseconds(float(ended['ms']))}" if ended.get("ms") is not None else ""
    return f"{tokens:,} token{'' if tokens == 1 else 's'}, {price}{took}"


def _place(kind: str, target: str, diagnosis: str) -> str:
    """Where a citation leads."""
    if kind in _PLACES:
        return _PLACES[kind].format(target)
    if kind == "evidence" and diagnosis:
        return f"/diagnoses/{diagnosis}#{target}"
    return f"/explore?{urlencode({'view': 'lines', 'q': target})}"


def _link_of(about: str) -> str:
    return {"A": f"/anomalies/{about}", "I": f"/incidents/{about}", "D": f"/diagnoses/{about}"}.get(
        about[:1], ""
    )


def _span(brushed: tuple[int, int] | None, now: datetime) -> str:
    if brushed is None:
        return ""
    first, last = (fmt.clock(datetime.fromtimestamp(one, UTC), now) for one in brushed)
    return f"{first} to {last} UTC"
