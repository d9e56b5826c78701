"""The reasoner that asks a language model: its texts are checked, and the statistics stand where it fails."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import structlog
from pydantic import BaseModel

from agent.claims import CITES, sentences
from agent.grounds import Register
from agent.model.gateway import Run
from agent.model.outcomes import ModelFailure, Question, Reply
from agent.reasoners.answers import Alternatives, Analysis, AnswerUnusable, Summary, T, read
from agent.reasoners.investigation import Investigation
from agent.reasoners.notes import Notes, doubted, retold
from agent.reasoners.questions import Asking, Extras, ask, family_of
from agent.reasoners.statistical import STEPS, diagnose
from agent.reasoners.tool_use import MAX_TOOL_ROUNDS, Talk, ToolBox, tools_wanted, use_tools
from agent.reasoners.wording import shortened
from agent.verify import Problem, Verified, verify
from domain.diagnosis import STEP_NAMES, ReasonerName, StepName
from domain.errors import ReasonerError

log = structlog.get_logger()
MAX_CONVERSATION = 5
CLOSE = 0.2
NORMAL_CALLS = 2
SUMMARY_FAILED = "the summary is the statistical one: "
_SHAPES = {
    "Analysis": '{"hypotheses": [...], "steps": {"data_examination": "...", and the other five steps}}',
    "Summary": '{"summary": "..."}',
}


class Asker(Protocol):
    """The door to the model."""

    @property
    def model(self) -> str: ...

    async def ask(self, run: Run, question: Question) -> Reply: ...


class LlmReasoner:
    """Takes the six steps of one investigation with a model.

    Args:
        door: asks the model within budget and deadline.
        run: the calls of this investigation.
        tools: what the model may ask for; None for no tools.
        asking: how questions are put.
    """

    name: ReasonerName = "llm"

    def __init__(self, door: Asker, run: Run, tools: ToolBox | None, asking: Asking) -> None:
        self._door = door
        self._run = run
        self._tools = tools
        self._asking = asking
        self._questions = 0

    async def take_step(self, step: StepName, investigation: Investigation) -> Investigation:
        """One of the six steps; never raises for what the model did."""
        if step == STEP_NAMES[0]:
            investigation = await self._analyse(investigation)
        done = await asyncio.to_thread(STEPS[step], investigation)
        notes = Notes.of(done)
        if not notes.used:
            return done
        if step == "hypothesis_formation":
            done = doubted(done, notes)
        done = retold(done, step, notes)
        return await self._summarise(done) if step == STEP_NAMES[-1] else done

    async def _analyse(self, investigation: Investigation) -> Investigation:
        """Ask for the analysis, with tools where the model wants them, and check what it says."""
        full = await asyncio.to_thread(diagnose, investigation)
        notes = Notes(model=self._run.model or self._door.model)
        talk = Talk(full, notes)
        try:
            analysis = await self._converse(talk)
            told_by = self._run.answered_by or talk.notes.model
            talk.notes = talk.notes.model_copy(update={"used": True, "model": told_by})
            await self._judge(talk, analysis)
        except ReasonerError as error:
            talk.notes = talk.notes.model_copy(update={"used": False, "fallback_reason": str(error)})
        except Exception as error:  # noqa: BLE001 -- whatever a model sets off must not cost the diagnosis
            log.warning("the model's analysis failed", error=repr(error))
            reason = f"internal error: {type(error).__name__}"
            talk.notes = talk.notes.model_copy(update={"used": False, "fallback_reason": reason})
        enlarged = investigation.model_copy(update={"ledger": talk.investigation.ledger})
        return talk.notes.into(enlarged)

    async def _converse(self, talk: Talk) -> Analysis:
        """Until there is an analysis: rounds of tools, one shorter try, one repair."""
        name = family_of(talk.investigation)
        for _ in range(MAX_CONVERSATION):
            # A shorter answer is asked for by a shorter prompt.
            wanting = talk.tools and talk.rounds < MAX_TOOL_ROUNDS and not talk.brief
            offered = self._tools is not None and wanting
            extras = Extras(tools=offered, errors=talk.errors, brief=talk.brief)
            reply = await self._ask(talk, name, Analysis, extras)
            if reply is None:
                continue
            if reply.truncated and not talk.brief:
                talk.brief = True
                continue
            found = await self._read(talk, reply, Analysis)
            if isinstance(found, Analysis) and (found.steps or not (found.need and offered)):
                return _with_steps(found)
            wanted = tools_wanted(reply, found if isinstance(found, Analysis) else None)
            if self._tools is None or not offered or not wanted:
                raise AnswerUnusable("the model goes on asking for tools instead of answering")
            await use_tools(talk, self._tools, wanted, self._run.emit)
        raise AnswerUnusable("the model came to no answer")

    async def _ask(self, talk: Talk, name: str, shape: type[BaseModel], extras: Extras) -> Reply | None:
        """One question; None where the prompt was too long and is halved for the next try."""
        question, cut = ask(name, shape, talk.investigation, self._asking, extras)
        prompts = tuple(dict.fromkeys((*talk.notes.prompts, question.name)))
        talk.notes = talk.notes.model_copy(update={"prompts": prompts, "left_out": cut})
        self._questions += 1
        try:
            return await self._door.ask(self._run, question)
        except ModelFailure as failure:
            if failure.outcome != "too_long" or self._asking.share < 1.0:
                raise
            self._asking = replace(self._asking, share=0.5)
            return None

    async def _read(self, talk: Talk, reply: Reply, shape: type[T]) -> T | None:
        """Read an answer; one that cannot be read is asked for once more. None where it only wants tools."""
        if reply.tools and not reply.text.strip():
            return None
        try:
            return _read_whole(reply, shape)
        except AnswerUnusable as error:
            if talk.notes.repaired:
                raise
            return _read_whole(await self._repair(talk, shape, [str(error)]), shape)

    async def _repair(self, talk: Talk, shape: type[BaseModel], problems: Sequence[str]) -> Reply:
        talk.notes = talk.notes.model_copy(update={"repaired": True})
        extras = Extras(problems=problems, shape=_SHAPES[shape.__name__])
        reply = await self._ask(talk, "repair", shape, extras)
        if reply is None:
            raise AnswerUnusable("the prompt is too long for the model")
        return reply

    async def _judge(self, talk: Talk, analysis: Analysis) -> None:
        """Check all texts; give the model one turn to mend them, then remove what still fails."""
        checked = self._checked(talk.investigation, analysis)
        problems = [problem for one in checked.values() for problem in one.problems]
        if problems and not talk.notes.repaired:
            mended = await self._mended(talk, problems)
            if mended is not None:
                again = self._checked(talk.investigation, mended)
                # A text that the model lost on the way is kept as it was.
                checked |= {key: one for key, one in again.items() if one.text}
                analysis = mended if mended.hypotheses else analysis
        notes = talk.notes.counted(checked.values())
        talk.notes = notes.model_copy(
            update={
                "texts": {key: one.text for key, one in checked.items() if not key.startswith("why ")},
                "cited": {key: one.cited for key, one in checked.items()},
                "whys": {key[4:]: one.text for key, one in checked.items() if key.startswith("why ")},
                "views": tuple(analysis.hypotheses),
            }
        )
        await self._weigh_alternatives(talk)

    async def _mended(self, talk: Talk, problems: Sequence[Problem]) -> Analysis | None:
        """The answer after the repair turn; None where that turn brought nothing."""
        said = [f"{one.sentence[:200]} -- {one.reason[:160]}" for one in problems]
        try:
            return _with_steps(_read_whole(await self._repair(talk, Analysis, said), Analysis))
        except ReasonerError:
            return None

    def _checked(self, investigation: Investigation, analysis: Analysis) -> dict[str, Verified]:
        register = _register(investigation)
        texts: dict[str, str] = {name: analysis.steps.get(name, "") for name in STEP_NAMES}
        texts |= {f"why {one.cause}": one.why for one in analysis.hypotheses if one.cause in register.causes}
        return {key: verify(text, register, investigation.outcome) for key, text in texts.items() if text}

    async def _weigh_alternatives(self, talk: Talk) -> None:
        """Where two causes are close, one more question about the second; failing costs its texts only."""
        named = [one for one in talk.investigation.hypotheses if one.cause != "unknown"][:2]
        if (
            len(named) < 2
            or named[0].confidence - named[1].confidence > CLOSE
            or self._questions >= NORMAL_CALLS
        ):
            return
        try:
            reply = await self._ask(talk, "alternatives", Alternatives, Extras())
            found = _read_whole(reply, Alternatives) if reply is not None else Alternatives(alternatives=())
        except ReasonerError:
            return
        register = _register(talk.investigation)
        said = {one.cause: one.why for one in found.alternatives if one.cause in register.causes}
        checked = {cause: verify(why, register, talk.investigation.outcome) for cause, why in said.items()}
        whys = {**talk.notes.whys, **{cause: one.text for cause, one in checked.items() if one.text}}
        talk.notes = talk.notes.counted(checked.values()).model_copy(update={"whys": whys})

    async def _summarise(self, investigation: Investigation) -> Investigation:
        """Ask for the summary, keep what holds, and tell it as it will be stored."""
        talk = Talk(investigation, Notes.of(investigation))
        conclusion = next(one.text for one in investigation.steps if one.name == "root_cause_determination")
        try:
            reply = await self._ask(talk, "summary", Summary, Extras(conclusion=conclusion[:600]))
            found = _read_whole(reply, Summary) if reply is not None else None
        except ReasonerError as error:
            reason = f"{SUMMARY_FAILED}{error}"
            talk.notes = talk.notes.model_copy(update={"fallback_reason": reason})
            found = None
        done = talk.investigation
        if found is not None:
            checked = verify(found.summary, _register(done), done.outcome)
            talk.notes = talk.notes.counted([checked])
            if checked.text:
                done = done.model_copy(update={"summary": _without_ids(checked.text)})
        for sentence in sentences(done.summary):
            await self._run.emit("token", {"text": f"{sentence} "})
        return talk.notes.into(done)


def _read_whole(reply: Reply, shape: type[T]) -> T:
    """Read an answer; one that was cut off in the middle fails as that, whatever is left of it."""
    try:
        return read(reply.text, shape)
    except AnswerUnusable:
        if reply.truncated:
            raise ModelFailure("truncated") from None
        raise


def _register(investigation: Investigation) -> Register:
    causes = frozenset(one.key for one in investigation.runbooks) | {"unknown"}
    return Register(investigation.ledger, investigation.hypotheses, causes)


def _with_steps(found: Analysis) -> Analysis:
    """An analysis that says something; raises AnswerUnusable for one that does not."""
    if not any(found.steps.get(name, "").strip() for name in STEP_NAMES):
        raise AnswerUnusable("the model's answer has none of the six steps")
    return found


def _without_ids(text: str) -> str:
    return shortened(" ".join(CITES.sub("", text).split()).replace(" .", "."))
