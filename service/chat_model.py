"""The chat's way to the model: one run per answer, its calls recorded and paid like all others."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.chat.asked import Answer, Asked
from agent.chat.conversation import Turn
from agent.chat.model_answer import ModelRun, answer_with_model
from agent.model.gateway import ModelGateway, Most
from domain.diagnosis import Usage


@dataclass
class Told:
    """What was shown of an answer while it came, and what the calls for it used."""

    text: str = ""
    model: str | None = None
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class ChatModel:
    """Answers in the words of the configured model; callable from any thread."""

    gateway: ModelGateway

    @property
    def name(self) -> str:
        """The configured model."""
        return self.gateway.model

    def answer(self, asked: Asked, turns: Sequence[Turn], subject: str, told: Told) -> Answer:
        """An answer of the model.

        Args:
            asked: the question with its tools.
            turns: what was said before in the thread.
            subject: under which the calls are recorded, such as `T-3/12`.
            told: gets what was shown and used, also where the answer fails.

        Raises:
            ReasonerError: the model brought no usable answer.
            Stopped: nobody waits for it any more.
        """

        def tell(piece: str) -> None:
            told.text += piece
            asked.emit("token", {"text": piece})

        asked.emit("step.started", {"id": "s1", "stage": "model", "title": f"Asking {self.name}"})
        started = time.perf_counter()
        # A loop of its own: the thread belongs to this answer alone.
        answer = asyncio.run(self._answer(asked, turns, (subject, tell), told))
        ms = round((time.perf_counter() - started) * 1000, 1)
        evidence = [name for _, name in answer.citations]
        asked.emit("step.finished", {"id": "s1", "ms": ms, "summary": self.name, "evidence": evidence})
        return answer

    async def _answer(
        self, asked: Asked, turns: Sequence[Turn], way: tuple[str, Callable[[str], None]], told: Told
    ) -> Answer:
        subject, tell = way
        settings = self.gateway.settings
        most = Most(
            settings.chat_timeout_seconds, settings.max_calls_per_answer, settings.budget_usd_per_answer
        )

        async def emit(event: str, data: Mapping[str, Any]) -> None:
            asked.emit(event, data)

        run = await self.gateway.begin(subject, emit, most=most)
        try:
            model = ModelRun(self.gateway, run, f"data-{secrets.token_hex(6)}", tell)
            return await answer_with_model(asked, turns, model)
        finally:
            told.model = run.answered_by
            told.usage = await self.gateway.usage_of(subject)


def build_chat_model(gateway: ModelGateway | None) -> ChatModel | None:
    """The model of the chat, or None where none is configured for it."""
    if gateway is None or not gateway.settings.chat:
        return None
    return ChatModel(gateway)
