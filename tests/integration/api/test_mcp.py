"""The desk's tools over the Model Context Protocol: a real client, real HTTP, real tokens."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from api_desk import LATENCY, NOW, PNL, Desk, FakeAnalyst, running_desk, token_settings
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from api.settings import Role, ServerSettings
from service.chat_data import StoredDesk
from service.desk_tools import NAMES, ToolBox
from service.windows import Windows

START = "2026-03-01T10:00:00Z"
END = "2026-03-01T12:00:00Z"


def tools_of(service: FakeAnalyst) -> ToolBox:
    stores = service.stores
    windows = Windows(stores.samples, stores.series, timedelta(hours=24), timedelta(days=28))
    return ToolBox(
        StoredDesk(
            stores,
            windows,
            service.now,
            health=service.sources,
            budget=service.budget_left_usd,
            begin=service.diagnose,
        )
    )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("mcp")
    with running_desk(folder, tokens=token_settings(), tools=tools_of) as running:
        yield running


@asynccontextmanager
async def connected(desk: Desk, role: Role, **options: Any) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers=desk.as_role(role), trust_env=False) as http,
        Client(streamable_http_client(f"{desk.url}/mcp", http_client=http), **options) as client,
    ):
        yield client


def plain(result: Any) -> dict[str, Any]:
    """The structured content, which the text beside it repeats."""
    content: dict[str, Any] = result.structured_content
    assert json.loads(result.content[0].text) == content
    assert not result.is_error
    return content


async def test_a_client_lists_the_tools_of_its_role(desk: Desk) -> None:
    async with connected(desk, "viewer") as viewer, connected(desk, "operator") as operator:
        seen = {one.name: one for one in (await viewer.list_tools()).tools}
        more = {one.name: one for one in (await operator.list_tools()).tools}
    assert set(more) == set(NAMES)
    assert set(more) - set(seen) == {"start_diagnosis"}
    assert all(
        one.description and one.annotations and one.annotations.read_only_hint for one in seen.values()
    )
    starts = more["start_diagnosis"].annotations
    assert starts is not None
    assert starts.read_only_hint is False
    assert more["money"].input_schema["required"] == ["metric", "start", "end"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_reads_the_desk_and_follows_an_incident_to_its_cause(desk: Desk, mode: str) -> None:
    async with connected(desk, "viewer", mode=mode) as client:
        status = plain(await client.call_tool("desk_status", {}))
        assert status["open"][0]["id"] == "I-1"
        incident = plain(await client.call_tool("get_incident", {"incident_id": "I-1"}))
        diagnosis = plain(
            await client.call_tool("get_diagnosis", {"diagnosis_id": incident["incident"]["diagnosis_id"]})
        )
        assert diagnosis["primary_hypothesis"]["cause"] == "venue_gateway_latency"
        money = plain(await client.call_tool("money", {"metric": "pnl", "start": START, "end": END}))
        assert money["amount"] < -20_000
        statistics = plain(
            await client.call_tool("series_statistics", {"series": [LATENCY], "start": START, "end": END})
        )
        assert statistics["items"][0]["max"] > 110
        assert plain(await client.call_tool("list_series", {}))["total"] == 2


async def test_every_reading_tool_answers(desk: Desk) -> None:
    span = {"start": START, "end": END}
    arguments: dict[str, dict[str, Any]] = {
        "desk_status": {},
        "list_incidents": span,
        "get_incident": {"incident_id": "I-1"},
        "list_anomalies": {**span, "min_severity": "high"},
        "get_anomaly": {"anomaly_id": "A-1"},
        "get_diagnosis": {"diagnosis_id": "D-1"},
        "similar_incidents": {"incident_id": "I-1"},
        "list_series": {"metric": "pnl", "labels": {"venue": ["bybit"]}},
        "series_statistics": {"series": [PNL], **span},
        "compare_windows": {
            "series": [PNL],
            "span": [START, END],
            "other": ["2026-03-01T06:00:00Z", START],
        },
        "compare_with_usual": {"series": [PNL], **span, "days": 1},
        "money": {"metric": "pnl", **span, "by": "strategy"},
        "movers": span,
        "moved_together": {"series": PNL, **span},
        "log_templates": span,
        "list_events": span,
        "data_sources": {},
        "list_rules": {},
        "model_usage": span,
    }
    assert {*arguments, "start_diagnosis"} == set(NAMES)
    async with connected(desk, "viewer") as client:
        for name, given in arguments.items():
            assert plain(await client.call_tool(name, given)), name


async def test_an_operator_starts_a_diagnosis_and_a_viewer_does_not(desk: Desk) -> None:
    wanted = {"metrics": [PNL], "start": START, "end": END}
    before = len(desk.service.diagnosed)
    async with connected(desk, "viewer") as viewer:
        refused = await viewer.call_tool("start_diagnosis", wanted)
    assert refused.is_error
    assert "operator" in refused.content[0].text  # type: ignore[union-attr]
    assert len(desk.service.diagnosed) == before
    async with connected(desk, "operator") as operator:
        begun = plain(await operator.call_tool("start_diagnosis", wanted))
        unknown = await operator.call_tool("start_diagnosis", {**wanted, "metrics": [PNL, "no_such"]})
    assert "no series is called 'no_such'" in unknown.content[0].text  # type: ignore[union-attr]
    assert begun["diagnosis_id"].startswith("D-")
    assert len(desk.service.diagnosed) == before + 1
    (entry,) = desk.stores.audit.list(subject=begun["diagnosis_id"]).items
    assert (entry.actor, entry.action) == ("operator", "mcp.start_diagnosis")


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("no_such_tool", {}, "no tool"),
        ("__init__", {}, "no tool"),
        ("permissions", {}, "no tool"),
        ("get_incident", {"incident_id": "I-999"}, "I-999"),
        ("get_incident", {"incident_id": "'; DROP TABLE incident; --"}, "no incident"),
        ("get_incident", {}, "incident_id"),
        ("get_incident", {"incident_id": 7}, "incident_id"),
        ("get_incident", {"incident_id": "I-1", "url": "http://169.254.169.254/"}, "url"),
        ("money", {"metric": "pnl", "start": "2026-03-01T10:00:00", "end": END}, "start"),
        ("money", {"metric": "pnl", "start": 0, "end": END}, "start"),
        ("money", {"metric": "pnl", "start": END, "end": START}, "end"),
        ("money", {"metric": "pnl", "start": "1970-01-01T00:00:00Z", "end": END}, "35 days"),
        ("list_series", {"limit": 10**9}, "limit"),
        ("list_series", {"limit": -1}, "limit"),
        ("list_series", {"limit": "7"}, "limit"),
        ("series_statistics", {"series": ["x"] * 1_000, "start": START, "end": END}, "series"),
        ("series_statistics", {"series": ["no_such"], "start": START, "end": END}, "no_such"),
        ("compare_windows", {"series": [PNL], "span": [START], "other": []}, "span"),
    ],
)
async def test_a_call_that_cannot_be_answered_says_why(
    desk: Desk, name: str, arguments: dict[str, Any], said: str
) -> None:
    async with connected(desk, "viewer") as client:
        found = await client.call_tool(name, arguments)
    assert found.is_error
    text = found.content[0].text  # type: ignore[union-attr]
    assert said in text
    assert "Traceback" not in text


@pytest.mark.parametrize("token", [None, "Bearer wrong-token-0123456789", "Basic eDp5"])
def test_without_a_valid_token_nothing_is_said(desk: Desk, token: str | None) -> None:
    answer = rpc(desk, {"Authorization": token} if token else {})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")


def rpc(desk: Desk, headers: dict[str, str], content: bytes | None = None) -> httpx2.Response:
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    wanted = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    return desk.client.post(
        "/mcp", content=content or json.dumps(ask).encode(), headers={**wanted, **headers}
    )


def test_a_token_for_samples_reads_nothing(desk: Desk) -> None:
    assert rpc(desk, desk.as_role("ingest")).status_code == 403


def test_a_foreign_host_or_origin_is_refused(tmp_path: Path) -> None:
    settings = ServerSettings(allowed_hosts=("desk.example",))
    with running_desk(tmp_path, settings, token_settings(), tools=tools_of) as desk:
        viewer = desk.as_role("viewer")
        assert rpc(desk, {**viewer, "Host": "evil.example"}).status_code == 421
        assert rpc(desk, {**viewer, "Origin": "https://evil.example"}).status_code == 403
        assert rpc(desk, {**viewer, "Host": "desk.example"}).status_code == 200
    (tmp_path / "open").mkdir()
    with running_desk(tmp_path / "open", tools=tools_of) as desk:
        assert rpc(desk, {"Host": "evil.example"}).status_code == 421
        assert rpc(desk, {}).status_code == 200


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"\xff", b"[" * 50_000, b'{"jsonrpc": "1.0"}'])
def test_what_is_no_request_is_refused(desk: Desk, body: bytes) -> None:
    answer = rpc(desk, desk.as_role("viewer"), body)
    assert 400 <= answer.status_code < 500, answer.text
    assert "Traceback" not in answer.text


def test_other_methods_are_refused_and_large_bodies_too(desk: Desk) -> None:
    viewer = desk.as_role("viewer")
    for method in ("PUT", "PATCH", "DELETE", "GET"):
        answer = desk.client.request(method, "/mcp", headers={**viewer, "Accept": "text/event-stream"})
        assert 400 <= answer.status_code < 500, (method, answer.text)
    assert rpc(desk, viewer, b"x" * 2_000_000).status_code == 413


def test_without_tools_there_is_nothing_at_this_address(tmp_path: Path) -> None:
    with running_desk(tmp_path) as desk:
        answer = rpc(desk, {})
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


def test_without_the_package_the_answer_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mcp", None)
    with running_desk(tmp_path, tools=tools_of) as desk:
        answer = rpc(desk, {})
    assert answer.status_code == 404
    assert "llm-analyst[mcp]" in answer.json()["detail"]


def test_the_clock_of_the_desk_is_the_one_that_is_told(desk: Desk) -> None:
    ask = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "desk_status", "arguments": {}},
    }
    answer = rpc(desk, desk.as_role("viewer"), json.dumps(ask).encode())
    told = answer.json()["result"]["structuredContent"]
    assert told["now"] == NOW.isoformat().replace("+00:00", "Z")
