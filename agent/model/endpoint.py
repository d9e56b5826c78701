"""An OpenAI-compatible endpoint behind the openai package: one attempt, one outcome."""

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from agent.model.failures import failure_of
from agent.model.outcomes import Listener, ModelFailure, Question, Reply, TokenUse, ToolRequest
from agent.model.redaction import cleaned

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CONNECT_S = 5.0
MAX_ANSWER_CHARS = 100_000
MAX_TOOL_REQUESTS = 8


@dataclass(frozen=True, slots=True)
class Features:
    """What an endpoint is believed to understand; taken back where it refuses."""

    schema: bool = True
    tools: bool = True
    stream: bool = True


class Endpoint(Protocol):
    """Something that answers a question once, or raises ModelFailure."""

    async def call(self, model: str, question: Question, features: Features) -> Reply: ...


@dataclass
class _Draft:
    """An answer while it streams in."""

    text: list[str] = field(default_factory=list)
    size: int = 0
    tools: dict[int, list[str]] = field(default_factory=dict)
    finish: str | None = None
    usage: TokenUse | None = None
    refusal: str = ""
    model: str = ""
    events: int = 0

    def add(self, text: str | None) -> None:
        if text:
            self.text.append(text)
            self.size += len(text)


class OpenAIEndpoint:
    """Chat Completions or Responses over HTTP; redirects are not followed, retries are the caller's.

    Args:
        base_url: the endpoint; None means the package's own default.
        api_key: may be empty for servers that need none.
        api: `chat` or `responses`.
        temperature: sampling temperature.
        now: wall clock, for dates in Retry-After.
    """

    def __init__(
        self,
        base_url: str | None,
        api_key: str,
        *,
        api: str,
        temperature: float,
        now: Callable[[], datetime],
    ) -> None:
        self._base_url = base_url
        self._api_key = api_key or "none"
        self._api = api
        self._temperature = temperature
        self._now = now
        self._trust: ssl.SSLContext | None = None

    async def call(self, model: str, question: Question, features: Features) -> Reply:
        """One attempt; raises ModelFailure, and nothing else but cancellation."""
        try:
            # A client per call: it belongs to one event loop, and calls are seconds apart.
            async with self._open() as client:
                if self._api == "responses":
                    draft = await self._responses(client, self._body(model, question, features))
                elif features.stream:
                    draft = await self._streamed(
                        client, self._body(model, question, features), question.listener
                    )
                else:
                    draft = await self._plain(client, self._body(model, question, features))
        except Exception as error:  # noqa: BLE001 -- a foreign library may throw anything; all of it is an outcome
            raise failure_of(error, self._now) from None
        return _reply(draft)

    def _open(self) -> "AsyncOpenAI":
        import httpx2  # noqa: PLC0415 -- slow to import, and most commands need no model
        from openai import AsyncOpenAI  # noqa: PLC0415

        timeout = httpx2.Timeout(60.0, connect=CONNECT_S)
        # Reading the certificates takes longer than the rest of a client.
        self._trust = self._trust or httpx2.create_ssl_context()
        return AsyncOpenAI(
            api_key=self._api_key,
            base_url=self._base_url,
            max_retries=0,
            timeout=timeout,
            http_client=httpx2.AsyncClient(follow_redirects=False, timeout=timeout, verify=self._trust),
        )

    def _body(self, model: str, question: Question, features: Features) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": model,
            "messages": [dict(one) for one in question.messages],
            "temperature": self._temperature,
            "max_tokens": question.max_tokens,
        }
        if question.schema is not None and features.schema:
            schema = {"name": "answer", "schema": dict(question.schema), "strict": False}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if question.tools and features.tools:
            body["tools"] = [{"type": "function", "function": dict(one)} for one in question.tools]
        return body

    async def _streamed(
        self, client: "AsyncOpenAI", body: dict[str, Any], listener: Listener | None
    ) -> _Draft:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        draft = _Draft()
        create: Any = client.chat.completions.create
        async with await create(**body) as chunks:
            async for chunk in chunks:
                pieces = len(draft.text)
                _take_chunk(draft, chunk)
                if listener is not None and len(draft.text) > pieces:
                    listener.hear(cleaned(draft.text[-1]))
                if draft.size > MAX_ANSWER_CHARS:
                    draft.finish = "length"
                    break
        if not draft.events:
            raise ModelFailure("unsupported", "no stream", sent=True)
        if draft.finish is None:
            raise ModelFailure("unreachable", "the stream ended early", sent=True)
        return draft

    async def _plain(self, client: "AsyncOpenAI", body: dict[str, Any]) -> _Draft:
        raw = await client.chat.completions.with_raw_response.create(**body)
        found = _json_object(raw.text)
        choices = found.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise ModelFailure("malformed", "no choices", sent=True)
        message = choices[0].get("message")
        if not isinstance(message, dict):
            raise ModelFailure("malformed", "no message", sent=True)
        draft = _Draft(finish=choices[0].get("finish_reason") or "stop", usage=_usage(found.get("usage")))
        draft.model = str(found.get("model") or "")
        content = message.get("content")
        draft.add(content if isinstance(content, str) else None)
        draft.refusal = str(message.get("refusal") or "")
        for i, one in enumerate(_list(message.get("tool_calls"))[:MAX_TOOL_REQUESTS]):
            function = one.get("function") or {}
            draft.tools[i] = [
                str(one.get("id") or i),
                str(function.get("name")),
                str(function.get("arguments")),
            ]
        return draft

    async def _responses(self, client: "AsyncOpenAI", body: dict[str, Any]) -> _Draft:
        raw = await client.responses.with_raw_response.create(**_responses_body(body))
        found = _json_object(raw.text)
        if not isinstance(found.get("output"), list):
            raise ModelFailure("malformed", "no output", sent=True)
        draft = _Draft(finish="stop", usage=_usage(found.get("usage")), model=str(found.get("model") or ""))
        if found.get("status") == "incomplete":
            draft.finish = str((found.get("incomplete_details") or {}).get("reason") or "length")
        for item in _list(found["output"]):
            _take_item(draft, item)
        return draft


def _take_chunk(draft: _Draft, chunk: Any) -> None:
    draft.events += 1
    draft.model = draft.model or str(getattr(chunk, "model", "") or "")
    usage = getattr(chunk, "usage", None)
    if usage is not None:
        draft.usage = _usage(usage.model_dump())
    for choice in (chunk.choices or ())[:1]:
        draft.finish = choice.finish_reason or draft.finish
        delta = choice.delta
        if delta is None:
            continue
        draft.add(delta.content)
        draft.refusal += delta.refusal or ""
        for part in delta.tool_calls or ():
            if part.index < MAX_TOOL_REQUESTS:
                _take_tool(draft, part)


def _take_tool(draft: _Draft, part: Any) -> None:
    slot = draft.tools.setdefault(part.index, [part.id or str(part.index), "", ""])
    if part.function is not None:
        slot[1] += part.function.name or ""
        slot[2] += part.function.arguments or ""
        draft.size += len(part.function.arguments or "")


def _take_item(draft: _Draft, item: Mapping[str, Any]) -> None:
    if item.get("type") == "function_call" and len(draft.tools) < MAX_TOOL_REQUESTS:
        values = [str(item.get(name) or "") for name in ("call_id", "name", "arguments")]
        draft.tools[len(draft.tools)] = values
    for part in _list(item.get("content")):
        if part.get("type") == "output_text":
            draft.add(str(part.get("text") or ""))
        elif part.get("type") == "refusal":
            draft.refusal += str(part.get("refusal") or "")


def _reply(draft: _Draft) -> Reply:
    if draft.refusal or draft.finish == "content_filter":
        raise ModelFailure("refused", usage=draft.usage, sent=True)
    text = cleaned("".join(draft.text)[:MAX_ANSWER_CHARS])
    tools = tuple(ToolRequest(one[0], one[1], one[2]) for _, one in sorted(draft.tools.items()))
    if not text.strip() and not tools:
        raise ModelFailure("empty", usage=draft.usage, sent=True)
    truncated = draft.finish in {"length", "max_tokens", "max_output_tokens"}
    return Reply(text, tools, draft.usage, truncated=truncated, model=draft.model)


def _responses_body(body: dict[str, Any]) -> dict[str, Any]:
    """The same request in the words of the Responses API."""
    out = {name: body[name] for name in ("model", "temperature")}
    out["input"] = [_responses_message(one) for one in body["messages"]]
    out["max_output_tokens"] = body["max_tokens"]
    out["store"] = False
    if "response_format" in body:
        out["text"] = {"format": {"type": "json_schema", **body["response_format"]["json_schema"]}}
    if "tools" in body:
        out["tools"] = [{"type": "function", **one["function"]} for one in body["tools"]]
    return out


def _responses_message(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": message["role"], "content": message.get("content") or ""}


def _usage(found: Any) -> TokenUse | None:
    if not isinstance(found, Mapping):
        return None
    given = found.get("prompt_tokens", found.get("input_tokens"))
    made = found.get("completion_tokens", found.get("output_tokens"))
    if not isinstance(given, int) or not isinstance(made, int):
        return None
    details = found.get("prompt_tokens_details") or found.get("input_tokens_details") or {}
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else None
    return TokenUse(max(given, 0), max(made, 0), cached if isinstance(cached, int) else 0)


def _json_object(text: str) -> Mapping[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ModelFailure("malformed", "not an object", sent=True)
    return found


def _list(found: Any) -> list[Mapping[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
