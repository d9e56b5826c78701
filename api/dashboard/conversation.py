"""The chat page: the stored messages of a thread, with their citations as links."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from markupsafe import Markup

from api.auth import Caller
from api.dashboard import fmt
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
class Said:
    n: int
    role: str
    text: Markup
    citations: list[tuple[str, str]]
    tools: list[str]


@dataclass(frozen=True, slots=True)
class Conversation:
    thread: str
    title: str
    about: str
    about_link: str
    messages: list[Said]
    threads: list[tuple[str, str]]
    suggestions: tuple[str, ...]
    window: str


def conversation(door: Doors, caller: Caller, thread_id: str | None, about: str) -> Conversation:
    """A thread of the caller's, or an empty page; raises NotFound for the thread of somebody else."""
    title = ""
    if thread_id is not None:
        thread = door.stores.chats.thread(thread_id)
        if thread.owner != caller.name and caller.role != "admin":
            raise NotFound("thread", thread_id)
        title = thread.title
    said = door.stores.chats.messages(thread_id) if thread_id else []
    threads = door.stores.chats.list(owner=caller.name, limit=20).items
    now = door.service.now()
    return Conversation(
        thread=thread_id or "",
        title=title,
        about=about,
        about_link=_link_of(about),
        messages=[said_of(one) for one in said],
        threads=[(one.id, one.title) for one in threads],
        suggestions=_SUGGESTIONS,
        window=f"{fmt.clock(now - timedelta(hours=24), now)} to {fmt.clock(now, now)} UTC",
    )


def said_of(one: ChatMessage) -> Said:
    """A message as it is shown: foreign text escaped, citations as links to what they name."""
    cited = [(str(cite.get("kind")), str(cite.get("id", ""))) for cite in one.citations]
    # Evidence is numbered within a diagnosis: the one that the answer cites beside it.
    diagnosis = next((target for kind, target in cited if kind == "diagnosis"), "")
    tools = [str(call.get("name", "")) for call in one.tool_calls]
    links = [(target, _place(kind, target, diagnosis)) for kind, target in cited]
    return Said(one.n, one.role, fmt.rich_text(one.text), links, tools)


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
