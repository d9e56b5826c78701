"""A turn in the words of Chat Completions and of Responses, whole and streamed."""

import json
from collections.abc import Mapping
from typing import Any

from evaluation.fake_model.behaviours import Turn

PIECE = 120


def _usage(turn: Turn, body: Mapping[str, Any]) -> dict[str, int]:
    given = len(json.dumps(body.get("messages") or body.get("input") or "")) // 4
    made = max(1, len(turn.text) // 4)
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}


def _head(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": "chatcmpl-fake", "object": kind, "created": 0, "model": str(body.get("model", "fake"))}


def chat_body(turn: Turn, body: Mapping[str, Any]) -> dict[str, Any]:
    """A whole chat completion."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": turn.text or None,
        "refusal": turn.refusal or None,
    }
    if turn.tools:
        message["tool_calls"] = _tool_calls(turn)
    choice = {"index": 0, "message": message, "finish_reason": turn.finish}
    answer = {**_head("chat.completion", body), "choices": [choice]}
    return {**answer, "usage": _usage(turn, body)} if turn.usage else answer


def chat_chunks(turn: Turn, body: Mapping[str, Any]) -> list[str]:
    """The same as server-sent events, with usage in a chunk of its own where it was asked for."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": turn.text[i : i + PIECE]} for i in range(0, len(turn.text), PIECE)]
    if turn.refusal:
        deltas.append({"refusal": turn.refusal})
    for i, one in enumerate(_tool_calls(turn)):
        deltas.append({"tool_calls": [{"index": i, **one}]})
    chunks = [
        {
            **_head("chat.completion.chunk", body),
            "choices": [{"index": 0, "delta": one, "finish_reason": None}],
        }
        for one in deltas
    ]
    last = {"index": 0, "delta": {}, "finish_reason": turn.finish}
    chunks.append({**_head("chat.completion.chunk", body), "choices": [last]})
    if turn.usage and (body.get("stream_options") or {}).get("include_usage"):
        usage = _usage(turn, body)
        chunks.append({**_head("chat.completion.chunk", body), "choices": [], "usage": usage})
    return [*(f"data: {json.dumps(one)}\n\n" for one in chunks), "data: [DONE]\n\n"]


def responses_body(turn: Turn, body: Mapping[str, Any]) -> dict[str, Any]:
    """A whole response."""
    output: list[dict[str, Any]] = [
        {
            "type": "function_call",
            "id": f"fc_{i}",
            "call_id": f"call_{i}",
            "name": name,
            "arguments": arguments,
            "status": "completed",
        }
        for i, (name, arguments) in enumerate(turn.tools)
    ]
    content: list[dict[str, Any]]
    if turn.refusal:
        content = [{"type": "refusal", "refusal": turn.refusal}]
    else:
        content = [{"type": "output_text", "text": turn.text, "annotations": []}]
    output.append(
        {"type": "message", "id": "msg", "role": "assistant", "status": "completed", "content": content}
    )
    cut = turn.finish == "length"
    answer = {
        "id": "resp-fake",
        "object": "response",
        "created_at": 0,
        "model": str(body.get("model", "fake")),
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": output,
    }
    used = _usage(turn, body)
    usage = {
        "input_tokens": used["prompt_tokens"],
        "output_tokens": used["completion_tokens"],
        "total_tokens": used["total_tokens"],
    }
    return {**answer, "usage": usage} if turn.usage else answer


def responses_events(turn: Turn, body: Mapping[str, Any]) -> list[str]:
    """The same as server-sent events."""
    whole = responses_body(turn, body)
    begun = {**whole, "output": [], "status": "in_progress", "usage": None}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    for i in range(0, len(turn.text), PIECE):
        piece = {"item_id": "msg", "output_index": 0, "content_index": 0, "delta": turn.text[i : i + PIECE]}
        events.append({"type": "response.output_text.delta", **piece})
    events.append({"type": "response.completed", "response": whole})
    numbered = [{**one, "sequence_number": i} for i, one in enumerate(events)]
    return [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in numbered]


def _tool_calls(turn: Turn) -> list[dict[str, Any]]:
    return [
        {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for i, (name, arguments) in enumerate(turn.tools)
    ]
