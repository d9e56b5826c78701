"""Answers a question with a model: a LangGraph of two nodes, asking and looking up, within bounds."""

import asyncio
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypedDict

# Must be set before langgraph is imported, here as in the graph of investigations.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

import langsmith
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from agent.chat import model_tools
from agent.chat.asked import Answer, Asked, Stopped
from agent.chat.conversation import Turn
from agent.chat.model_questions import Found, Talk, question_of
from agent.chat.model_said import ModelUnhelpful, said_in
from agent.chat.question import Intent
from agent.chat.spoken import Ground
from agent.chat.voice import Voice
from agent.model.gateway import Run
from agent.model.outcomes import ModelFailure, Question, Reply
from domain.errors import AnalystError, ReasonerError

langsmith.configure(enabled=False)

# To these the reader has no better answer than a model that declines.
_UNREADABLE: frozenset[Intent] = frozenset({"unknown", "command", "help", "thanks", "diagnose", "clock"})
MAX_ROUNDS = 4
MAX_TOOLS_PER_ROUND = 4
MAX_SERIES_CITED = 8
STOP_POLL_S = 0.05
UNGROUNDED = "You looked nothing up. Call a tool, or say plainly what you have no data for."
_REFUSAL = re.compile(
    r"\b(?:no data|cannot|can't|can not|unable|not (?:stored|recorded|able)|do not know|don't know|operator"
    r"|did not understand)\b",
    re.IGNORECASE,
)
_DIAGNOSE = re.compile(r"\b(?:diagnos|investigat|analy[sz]|root cause|look into|examine)", re.IGNORECASE)
_CITED = re.compile(r"\[([AID]-\d+|E\d+)\]|(?<![\w-])([AID]-\d+)(?![\w-])")
_KINDS = {"I": "incident", "A": "anomaly", "D": "diagnosis", "E": "evidence"}
_FIGURES = frozenset(
    {"series_statistics", "compare_windows", "compare_with_usual", "money", "movers", "moved_together"}
)


class Asker(Protocol):
    """The door to the model."""

    async def ask(self, run: Run, question: Question) -> Reply: ...


@dataclass(frozen=True, slots=True)
class ModelRun:
    """What a question is put to.

    Args:
        door: asks the model within budget and deadline.
        run: the calls of this answer.
        mark: the random word around data.
        tell: shows a piece of the answer.
    """

    door: Asker
    run: Run
    mark: str
    tell: Callable[[str], None]


class State(TypedDict):
    """What goes between the nodes; the rest is in the context."""

    wanted: list[tuple[str, str]]
    ended: bool


@dataclass
class _Context:
    talk: Talk
    voice: Voice
    door: Asker
    run: Run
    rounds: int = 0
    asked: set[tuple[str, str]] = field(default_factory=set)


async def answer_with_model(asked: Asked, turns: Sequence[Turn], model: ModelRun) -> Answer:
    """An answer in the model's words, each sentence checked before it is shown.

    Raises:
        ReasonerError: the model brought none; what it had shown by then went to `tell`.
        Stopped: the person who asked does not want it any more.
    """
    earlier = [(one.answer, frozenset(name for _, name in one.cited)) for one in turns]
    voice = Voice(lambda: Ground.of(asked, earlier), model.tell)
    # Only the person's own words set off an investigation, never a text that a tool returned.
    diagnose = asked.tools.permissions.diagnose and bool(_DIAGNOSE.search(asked.question.text))
    talk = Talk(asked, turns, model.mark, diagnose)
    context = _Context(talk, voice, model.door, model.run)
    work = asyncio.create_task(_graph().ainvoke(State(wanted=[], ended=False), context=context))
    while not work.done():
        await asyncio.wait({work}, timeout=STOP_POLL_S)
        if asked.stopped() and not work.done():
            # Ends the call and its connection: nothing more is paid for.
            work.cancel()
            await asyncio.wait({work})
            raise Stopped
    work.result()
    return _answer(voice.text, asked, Ground.of(asked, earlier))


_compiled: list[CompiledStateGraph[State, _Context, State, State]] = []


def _graph() -> CompiledStateGraph[State, _Context, State, State]:
    if not _compiled:
        graph = StateGraph(State, context_schema=_Context)
        graph.add_node("ask", _ask)
        graph.add_node("look_up", _look_up)
        graph.add_edge(START, "ask")
        graph.add_conditional_edges("ask", _next, ["ask", "look_up", END])
        graph.add_edge("look_up", "ask")
        _compiled.append(graph.compile())
    return _compiled[0]


def _next(state: State) -> str:
    if state["wanted"]:
        return "look_up"
    return END if state["ended"] else "ask"


async def _ask(state: State, *, runtime: Runtime[_Context]) -> dict[str, Any]:
    """One call of the model: wishes for tools, an answer, or something to be pushed back once."""
    del state
    context = runtime.context
    talk, voice = context.talk, context.voice
    offered = talk.tools
    try:
        reply = await context.door.ask(context.run, replace(question_of(talk), listener=voice))
    except ModelFailure as failure:
        if failure.outcome != "too_long" or talk.small:
            raise
        talk.small = True
        return {"wanted": [], "ended": False}
    try:
        text, wanted = said_in(reply)
    except ReasonerError as error:
        return _pushed_back(talk, str(error))
    if wanted:
        if not offered:
            raise ModelUnhelpful("the model goes on asking for tools instead of answering")
        voice.forget()
        return {"wanted": wanted, "ended": False}
    refusal = bool(_REFUSAL.search(text))
    if refusal and _readable(talk):
        raise ModelUnhelpful("the model had no answer")
    if not refusal and not Ground.of(talk.asked, _earlier(talk)).resting(text):
        return _pushed_back(talk, UNGROUNDED)
    voice.finish(text, truncated=reply.truncated)
    return {"wanted": [], "ended": True}


def _readable(talk: Talk) -> bool:
    """Whether the reader understood a question for which the model looked nothing up."""
    question = talk.asked.question
    odd = question.strangers or question.absent or question.unknown
    return not talk.asked.calls and not odd and question.intent not in _UNREADABLE


def _pushed_back(talk: Talk, wrong: str) -> dict[str, Any]:
    """Tell the model once what was wrong; raises ModelUnhelpful at the second time."""
    if talk.wrong:
        reason = "the model answered without looking anything up" if wrong == UNGROUNDED else wrong
        raise ModelUnhelpful(reason)
    talk.wrong = wrong
    return {"wanted": [], "ended": False}


def _earlier(talk: Talk) -> list[tuple[str, frozenset[str]]]:
    return [(one.answer, frozenset(name for _, name in one.cited)) for one in talk.turns]


async def _look_up(state: State, *, runtime: Runtime[_Context]) -> dict[str, Any]:
    """Call what is wished for; equal calls and rounds that bring nothing new end the tools."""
    context = runtime.context
    talk = context.talk
    errors: list[str] = []
    brought = 0
    for name, arguments in state["wanted"][:MAX_TOOLS_PER_ROUND]:
        wish = (name, _normal(arguments))
        if wish in context.asked:
            errors.append(f"{name[:60]}: was called already, its answer stands above")
            continue
        context.asked.add(wish)
        error = _call(talk, name, arguments)
        brought += error is None
        errors += [error] if error else []
    context.rounds += 1
    talk.errors = tuple(errors)
    # A model that names a series wrongly may mend that once before its tools are taken away.
    talk.tools = context.rounds < MAX_ROUNDS and (bool(brought) or context.rounds == 1)
    context.voice.held = not talk.found
    return {"wanted": [], "ended": False}


def _call(talk: Talk, name: str, arguments: str) -> str | None:
    """Run one tool; what was wrong with it otherwise."""
    calls = len(talk.asked.calls)
    try:
        allowed = model_tools.offered(diagnose=talk.diagnose and not _started(talk))
        result = model_tools.call(talk.asked, name, arguments, allowed)
    except AnalystError as error:
        said = str(error)[:300]
        if len(talk.asked.calls) == calls:
            talk.asked.refused(name, arguments, said)
        return f"{name[:60]}: {said}"
    talk.found.append(Found(name, arguments, result))
    return None


def _started(talk: Talk) -> bool:
    return any(one.name == model_tools.STARTING for one in talk.found)


def _normal(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments or "{}"), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments


def _answer(text: str, asked: Asked, ground: Ground) -> Answer:
    """The text with what it cites: ids that it names, and the series that figures came from."""
    answer = Answer(text.split("\n"))
    for match in _CITED.finditer(text):
        name = match[1] or match[2]
        if name in ground.ids:
            answer.cite(_KINDS[name[0]], name)
    _cite_owner(answer, asked)
    answer.rest_on(*_series(asked))
    answer.answered = bool(answer.citations or asked.calls) and not (
        _REFUSAL.search(text) and not answer.citations
    )
    return answer


def _cite_owner(answer: Answer, asked: Asked) -> None:
    """Evidence is cited together with the diagnosis that holds it."""
    if not any(kind == "evidence" for kind, _ in answer.citations):
        return
    for one in asked.calls:
        found = one.result if isinstance(one.result, Mapping) else {}
        diagnosis = found.get("diagnosis") if one.name == "get_incident" else found
        if isinstance(diagnosis, Mapping) and "executive_summary" in diagnosis:
            answer.cite("diagnosis", str(diagnosis["id"]))
        elif one.name == "get_evidence" and one.result is not None:
            answer.cite("diagnosis", str(one.arguments["diagnosis_id"]))


def _series(asked: Asked) -> list[str]:
    names: list[str] = []
    for one in asked.calls:
        if one.result is None or one.name not in _FIGURES:
            continue
        names += [str(item["series"]) for item in one.result.get("items", ()) if "series" in item]
        names += [str(name) for name in one.result.get("series", ())]
    return list(dict.fromkeys(names))[:MAX_SERIES_CITED]
