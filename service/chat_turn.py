"""One turn of the chat: the question that waits, and what was thought about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.chat.asked import Answer, Asked
from agent.chat.conversation import Turn
from agent.chat.desk_tools import Permissions
from api.service_port import ToolCall
from db.chat import ChatStore
from db.records import ChatMessage
from db.runs import RunStore
from service.chat_model import Told


@dataclass(frozen=True, slots=True)
class ChatStores:
    """Where threads, and the events of their answers, are kept."""

    chats: ChatStore
    runs: RunStore


@dataclass(frozen=True, slots=True)
class Thought:
    """An answer with who gave it: the model, or the reader where there is none or it failed.

    Args:
        answer: what to store.
        calls: of tools.
        told: how much of its text was shown already, as told, and what the model used.
        model: whose words these are.
        reason: why it is not the model's, where one is configured.
    """

    answer: Answer
    calls: Sequence[ToolCall] = ()
    told: Told = field(default_factory=Told)
    model: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A question that is stored and waits for its answer."""

    thread_id: str
    run_id: int
    message: str
    turns: Sequence[Turn]
    permissions: Permissions


def calls_of(asked: Asked) -> tuple[ToolCall, ...]:
    """The tools that were called, as an answer tells them."""
    return tuple(ToolCall(name=one.name, arguments=one.arguments) for one in asked.calls)


def turns_of(messages: Sequence[ChatMessage]) -> list[Turn]:
    """Questions with what their answers cited."""
    turns: list[Turn] = []
    for one in messages:
        if one.role == "user":
            turns.append(Turn(one.text, one.at))
        elif turns:
            cited = tuple((str(c.get("kind")), str(c.get("id"))) for c in one.citations)
            turns[-1] = Turn(turns[-1].text, turns[-1].at, cited, one.text)
    return turns
