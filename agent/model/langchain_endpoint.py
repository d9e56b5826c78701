"""Models of providers that LangChain knows by name, where their package is installed."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from agent.model.endpoint import Features
from agent.model.failures import failure_of
from agent.model.outcomes import ModelFailure, Outcome, Question, Reply, TokenUse, ToolRequest
from agent.model.redaction import cleaned
from domain.errors import ConfigurationError

_BY_NAME: tuple[tuple[str, Outcome], ...] = (
    ("RateLimit", "rate_limited"),
    ("Timeout", "timeout"),
    ("Authentication", "unauthorised"),
    ("Permission", "unauthorised"),
    ("NotFound", "unknown_model"),
    ("ContextOverflow", "too_long"),
    ("Connection", "unreachable"),
    ("InvalidRequest", "rejected"),
    ("BadRequest", "rejected"),
    ("API", "server_error"),
)


class LangChainEndpoint:
    """A chat model made by `init_chat_model`; features that not all models share are left out.

    Args:
        provider: LangChain's name of the provider, such as `anthropic` or `ollama`.
        base_url: where its server is, if not where its package thinks.
        api_key: may be empty where the package finds its own.
        temperature: sampling temperature.
        now: wall clock.
    """

    def __init__(
        self,
        provider: str,
        base_url: str | None,
        api_key: str,
        temperature: float,
        now: Callable[[], datetime],
    ) -> None:
        self._provider = provider
        self._options: dict[str, Any] = {"temperature": temperature, "max_retries": 0}
        self._options |= {"base_url": base_url} if base_url else {}
        self._options |= {"api_key": api_key} if api_key else {}
        self._now = now
        self._models: dict[str, Any] = {}

    async def call(self, model: str, question: Question, features: Features) -> Reply:
        """One attempt; raises ModelFailure."""
        chat = self._model(model)
        if question.tools and features.tools:
            chat = chat.bind_tools([{"type": "function", "function": dict(one)} for one in question.tools])
        messages = [(str(one["role"]), str(one.get("content") or "")) for one in question.messages]
        try:
            message = await chat.ainvoke(messages, max_tokens=question.max_tokens)
        except Exception as error:  # noqa: BLE001 -- every provider throws its own; all of it is an outcome
            raise _failure(error, self._now) from None
        return _reply(message)

    def _model(self, name: str) -> Any:
        if name not in self._models:
            import langsmith  # noqa: PLC0415 -- slow to import, and most installations need none of it
            from langchain.chat_models import init_chat_model  # noqa: PLC0415

            # A stray variable of a shell must not upload prompts.
            langsmith.configure(enabled=False)
            try:
                self._models[name] = init_chat_model(name, model_provider=self._provider, **self._options)
            except (ImportError, ValueError) as error:
                raise ConfigurationError("llm.provider", str(error).splitlines()[0]) from None
        return self._models[name]


def _failure(error: Exception, now: Callable[[], datetime]) -> ModelFailure:
    names = [one.__name__ for one in type(error).__mro__]
    for part, outcome in _BY_NAME:
        if any(part in name for name in names):
            return ModelFailure(outcome, type(error).__name__, sent=True)
    return failure_of(error, now)


def _reply(message: Any) -> Reply:
    found = message.usage_metadata or {}
    usage = TokenUse(found["input_tokens"], found["output_tokens"]) if found else None
    finish = str(
        message.response_metadata.get("finish_reason") or message.response_metadata.get("stop_reason")
    )
    text = cleaned(str(message.text))
    tools = tuple(
        ToolRequest(str(one.get("id")), str(one["name"]), json.dumps(one["args"]))
        for one in message.tool_calls
    )
    if not text.strip() and not tools:
        raise ModelFailure("empty", usage=usage, sent=True)
    model = str(message.response_metadata.get("model_name") or "")
    return Reply(text, tools, usage, truncated=finish in {"length", "max_tokens"}, model=model)
