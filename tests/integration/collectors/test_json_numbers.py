"""Numbers in JSON over real sockets; the answers are written by hand in the documented shapes."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from raw_server import RawServer, Respond, cut, drip_body, hang, reply, reply_json

from collectors.build import build_collector, build_runner, check_source
from collectors.collector import Collected, Position
from collectors.settings_json import JsonSource
from domain.errors import ConfigurationError, SourceError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FEAR = {
    "name": "Fear and Greed Index",
    "data": [
        {"value": "40", "value_classification": "Fear", "timestamp": "1772323200", "time_until_update": "9"},
        {"value": "47", "value_classification": "Neutral", "timestamp": "1772236800"},
        {"value": "", "value_classification": "Neutral", "timestamp": "1772150400"},
    ],
    "metadata": {"error": None},
}
FEAR_NUMBER = {
    "metric": "fear_greed_index",
    "rows": "data",
    "value": "value",
    "time": "timestamp",
    "step_seconds": 86_400,
}


def settings(url: str, *numbers: dict[str, object], **more: object) -> JsonSource:
    values = {
        "kind": "json",
        "name": "index",
        "url": url,
        "numbers": numbers or (FEAR_NUMBER,),
        "allow_private_addresses": True,
        "deadline_seconds": 1,
        **more,
    }
    return JsonSource.model_validate(values)


def read(server: RawServer, *numbers: dict[str, object], **more: object) -> Collected:
    return build_collector(settings(server.url, *numbers, **more), {}).collect(Position(), NOW)


def test_a_published_index_is_read_with_its_own_times(server: RawServer) -> None:
    server.respond = reply_json(FEAR)
    page = read(server)
    found = {at.isoformat(): value for _, at, value in page.samples}
    assert found == {"2026-03-01T00:00:00+00:00": 40, "2026-02-28T00:00:00+00:00": 47}
    (series,) = page.samples.series
    assert (series.name, series.step_s, series.source) == ("fear_greed_index", 86_400, "market_data")
    assert page.position.watermark == datetime(2026, 3, 1, tzinfo=UTC)
    assert page.notes == ("1 values are gaps: fear_greed_index: value finds no number",)


def test_rows_become_series_by_their_labels(server: RawServer) -> None:
    rows = [
        {"s": "mm", "v": {"used": 0.5}, "on": True},
        {"s": "arb", "v": {"used": "0.75"}, "on": True},
        {"s": "old", "v": {"used": 0.9}, "on": False},
        {"s": ["x"], "v": {"used": 1}, "on": True},
    ]
    server.respond = reply_json({"limits": rows})
    page = read(
        server,
        {
            "metric": "limit_bps",
            "rows": "limits[?on]",
            "value": "v.used",
            "label_paths": {"strategy": "s"},
            "labels": {"desk": "a"},
            "factor": 10_000,
        },
        {"metric": "n_limits", "value": "length(limits)"},
    )
    assert {series.name: value for series, _, value in page.samples} == {
        'limit_bps{desk="a",strategy="mm"}': 5_000,
        'limit_bps{desk="a",strategy="arb"}': 7_500,
        'limit_bps{desk="a"}': 10_000,
        "n_limits": 4,
    }
    assert {at for _, at, _ in page.samples} == {NOW}


def test_a_bare_number_or_list_is_json_too(server: RawServer) -> None:
    server.respond = reply_json([1, [2, 3]])
    page = read(server, {"metric": "x", "value": "[1][0]"})
    assert [value for _, _, value in page.samples] == [2]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"data": []}, "empty"),
        ({"data": None}, "lists not found"),
        ({"other": 1}, "lists not found"),
        ({"data": [{"value": "NaN", "timestamp": 1}]}, "finds no number"),
        ({"data": [{"value": [1], "timestamp": 1}]}, "no single number"),
        ({"data": [{"value": True, "timestamp": 1}]}, "finds no number"),
        ({"data": [{"value": 1, "timestamp": "yesterday"}]}, "finds no time"),
        ({"data": [{"value": 1}]}, "finds no time"),
        ({"data": ["x", 3, None]}, "finds no"),
    ],
)
def test_an_answer_of_another_shape_is_an_error_that_says_where(
    server: RawServer, document: object, says: str
) -> None:
    server.respond = reply_json(document)
    with pytest.raises(SourceError, match=says):
        read(server)


@pytest.mark.parametrize(
    "respond",
    [
        reply(b"<html>login</html>"),
        reply(b'{"data": ['),
        reply(b"[" * 100_000),
        reply(b"", status="500 Oops"),
        reply(b"\xff"),
        cut,
        hang,
        drip_body,
    ],
)
def test_a_server_that_misbehaves_is_an_error(server: RawServer, respond: Respond) -> None:
    server.respond = respond
    with pytest.raises(SourceError):
        read(server)


def test_times_far_in_the_future_are_refused_on_the_way_in(server: RawServer) -> None:
    server.respond = reply_json({"v": 1, "t": NOW.timestamp() + 86_400})
    configured = settings(server.url, {"metric": "x", "value": "v", "time": "t"})
    (result,) = build_runner([configured], {}).run(NOW)
    assert not len(result.samples)
    assert "future" in result.notes[0]
    assert result.position is not None
    assert result.position.watermark == NOW


def test_a_wrong_path_is_refused_with_the_settings(server: RawServer) -> None:
    with pytest.raises(ValidationError, match="not a JMESPath expression"):
        settings(server.url, {"metric": "x", "value": "a..b"})


def test_a_key_goes_into_a_header_and_into_no_message(server: RawServer) -> None:
    configured = settings(server.url, headers_env={"X-Api-Key": "RISK_KEY"})
    server.respond = reply(b"", status="401 No")
    answer = check_source(configured, {"RISK_KEY": "very-secret-key"}, NOW).answer
    assert "very-secret-key" in server.requests[0]
    assert "very-secret-key" not in answer + server.requests[0].split("\r\n")[0]
    with pytest.raises(ConfigurationError, match="RISK_KEY is not set"):
        build_collector(configured, {})


def test_the_check_is_one_line(server: RawServer) -> None:
    server.respond = reply_json(FEAR)
    assert check_source(settings(server.url), {}, NOW).answer.startswith("2 samples of 1 series")
