"""Bodies of POST /samples and POST /events, good and hostile."""

import json
import math
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.ingest import ParsedSamples, TooManyItems, parse_events, parse_samples
from collectors.strict_json import UnparseableBody
from domain.errors import InvalidInput
from domain.series import SeriesKey

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOOD = {"metric": "pnl", "labels": {"strategy": "mm_btc"}, "timestamp": "2026-03-01T11:55:00Z", "value": 1.5}


def parse(*samples: object) -> ParsedSamples:
    return parse_samples(json.dumps({"samples": samples}).encode(), NOW)


def raw_value(literal: str) -> ParsedSamples:
    body = f'{{"samples":[{{"metric":"x","timestamp":"2026-03-01T11:55:00Z","value":{literal}}}]}}'
    return parse_samples(body.encode(), NOW)


def reasons(parsed: ParsedSamples) -> list[str]:
    return [rejection.reason for rejection in parsed.rejected]


def test_a_good_sample_is_read_with_all_its_fields() -> None:
    parsed = parse({**GOOD, "source": "pnl_data", "unit": "USD", "kind": "counter"})
    ((series, at, value),) = parsed.batch
    assert (series.name, series.source, series.unit, series.kind) == (
        'pnl{strategy="mm_btc"}',
        "pnl_data",
        "USD",
        "counter",
    )
    assert (at, value) == (datetime(2026, 3, 1, 11, 55, tzinfo=UTC), 1.5)


def test_one_bad_sample_of_a_hundred_leaves_ninety_nine() -> None:
    samples: list[object] = [{**GOOD, "value": k} for k in range(100)]
    samples[42] = {**GOOD, "value": "x"}
    parsed = parse(*samples)
    assert len(parsed.batch) == 99
    assert [(one.index, one.reason) for one in parsed.rejected] == [(42, "value: must be a number")]
    assert 42 not in parsed.positions
    assert parsed.positions[42] == 43


@pytest.mark.parametrize(
    "literal", ["NaN", "Infinity", "-Infinity", "1e309", "-1e309", "1e400000", "1.79e308", "1e300"]
)
def test_a_literal_that_is_not_finite_rejects_its_sample_alone(literal: str) -> None:
    parsed = raw_value(literal)
    assert len(parsed.batch) == 0
    assert len(parsed.rejected) == 1


@pytest.mark.parametrize("literal", ['"1"', "true", "null", "[1]", '{"a":1}', "9007199254740993"])
def test_a_value_that_is_no_number_or_would_be_rounded_is_rejected(literal: str) -> None:
    assert len(raw_value(literal).rejected) == 1


@pytest.mark.parametrize("literal", ["5e-324", "-0.0", "9007199254740992", "0", "-1", "1e299"])
def test_an_extreme_but_exact_value_is_kept(literal: str) -> None:
    ((_, _, value),) = raw_value(literal).batch
    assert math.copysign(1, value) == math.copysign(1, float(literal))
    assert value == float(literal)


@pytest.mark.parametrize(
    "literal", ["9" * 400, "-" + "9" * 400, "9" * 5_000, "9" * 1_000_000, '"' + "9" * 5_000 + '"']
)
def test_a_number_of_many_digits_is_rejected_quickly(literal: str) -> None:
    began = time.perf_counter()
    assert len(raw_value(literal).rejected) == 1
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    "timestamp",
    [
        "2026-03-01T11:55:00",
        "2026-02-30T11:55:00Z",
        "2026-03-01T11:55:60Z",
        "2026-03-01T11:55:00+99:00",
        "2026-03-01T11:55:00Z\x00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59Z",
        "1969-12-31T23:59:59Z",
        "2036-03-01T12:00:00Z",
        "2026-03-01T12:10:01Z",
        "now",
        1_770_000_000,
        None,
    ],
)
def test_a_time_that_is_not_exactly_known_is_rejected(timestamp: object) -> None:
    parsed = parse({**GOOD, "timestamp": timestamp}, GOOD)
    assert [one.index for one in parsed.rejected] == [0]
    assert len(parsed.batch) == 1


def test_both_instants_of_a_doubled_hour_are_kept_apart() -> None:
    parsed = parse(
        {**GOOD, "timestamp": "2025-10-26T02:30:00+02:00"}, {**GOOD, "timestamp": "2025-10-26T02:30:00+01:00"}
    )
    first, second = (at for _, at, _ in parsed.batch)
    assert second - first == timedelta(hours=1)


@pytest.mark.parametrize("metric", ["", " ", "x" * 10_000, "a\x00b", "a\nb", "\x1b[31m", "\ud800", 5, None])
def test_an_unusable_name_is_rejected(metric: object) -> None:
    assert len(parse({**GOOD, "metric": metric}).rejected) == 1


@pytest.mark.parametrize("name", ["'; DROP TABLE x;--", "<script>", "{{7*7}}", "a{b}", "=cmd()", "a\u202eb"])
def test_a_hostile_name_is_data(name: str) -> None:
    ((series, _, _),) = parse({**GOOD, "metric": name, "labels": {"strategy": name}}).batch
    assert (series.key.metric, series.key.label("strategy")) == (name, name)
    assert SeriesKey.parse(series.name) == series.key


@pytest.mark.parametrize(
    "change",
    [
        {"labels": []},
        {"labels": {"a": 1}},
        {"labels": {"a-b": "x"}},
        {"source": "x"},
        {"unit": 3},
        {"kind": "x"},
        {"v": 1},
    ],
)
def test_a_field_of_the_wrong_shape_is_rejected_by_name(change: dict[str, object]) -> None:
    (reason,) = reasons(parse({**GOOD, **change}))
    assert next(iter(change))[:4] in reason


@pytest.mark.parametrize("sample", [None, 1, "x", [], {}])
def test_what_is_no_sample_is_rejected(sample: object) -> None:
    assert len(parse(sample).rejected) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"\xef\xbb\xbf" + b'{"samples":[]}',
        '{"samples":[]}'.encode("utf-16"),
        '{"samples":[]}'.encode("utf-32"),
        b'{"samples":[]} x',
        b'{"samples":[]}{"samples":[]}',
        b'{"samples":[],"samples":[]}',
        b'{"samples":[{"metric":"a","metric":"b"}]}',
        b"[" * 100_000,
        b"[" * 50_000 + b"]" * 50_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"samples":["\xff"]}',
        b"\x00\x01",
        b'{"samples":[{"metric":"a\nb"}]}',
    ],
)
def test_a_body_that_cannot_be_parsed_is_refused_whole(body: bytes) -> None:
    with pytest.raises(UnparseableBody):
        parse_samples(body, NOW)


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b"{}", b'{"samples":{}}', b'{"samples":[],"more":1}'])
def test_json_of_another_shape_is_invalid_input(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_samples(body, NOW)


def test_lines_are_read_one_by_one() -> None:
    body = b"\n".join(json.dumps({**GOOD, "value": k}).encode() for k in range(3)) + b"\r\n\n"
    assert [value for _, _, value in parse_samples(body, NOW, ndjson=True).batch] == [0, 1, 2]


@pytest.mark.parametrize("body", [b"", b"\n\n", b'{"metric":', json.dumps(GOOD).encode() + b"\nnope\n"])
def test_lines_that_cannot_be_parsed_refuse_the_body(body: bytes) -> None:
    with pytest.raises(UnparseableBody):
        parse_samples(body, NOW, ndjson=True)


def test_too_many_samples_are_refused_whole() -> None:
    with pytest.raises(TooManyItems):
        parse_samples(json.dumps({"samples": [GOOD] * 11}).encode(), NOW, max_items=10)


def test_a_large_body_is_read_at_a_good_pace() -> None:
    samples = [{**GOOD, "labels": {"strategy": f"s{k % 500}"}, "value": k} for k in range(50_000)]
    body = json.dumps({"samples": samples}).encode()
    began = time.process_time()
    assert len(parse_samples(body, NOW).batch) == 50_000
    assert time.process_time() - began < 20


@given(st.binary(max_size=200))
def test_no_body_breaks_the_parser(body: bytes) -> None:
    for ndjson in (False, True):
        try:
            parse_samples(body, NOW, ndjson=ndjson)
        except (UnparseableBody, InvalidInput):
            continue


texts = st.text(max_size=10)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
json_values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(texts, scalars, max_size=3)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from([*GOOD, "source", "unit", "kind"]), json_values, max_size=3))
def test_every_sample_is_either_accepted_or_rejected(change: dict[str, object]) -> None:
    parsed = parse({**GOOD, **change})
    assert len(parsed.batch) + len(parsed.rejected) == 1
    for reason in reasons(parsed):
        reason.encode()


EVENT = {
    "timestamp": "2026-03-01T11:55:00Z",
    "source": "events",
    "text": "deploy 1.2\n\tok",
    "labels": {"kind": "deploy"},
}


def test_a_good_event_is_read() -> None:
    parsed = parse_events(json.dumps({"events": [EVENT]}).encode(), NOW)
    (event,) = parsed.events
    assert (event.kind, event.text, event.source) == ("deploy", "deploy 1.2\n\tok", "events")


@pytest.mark.parametrize(
    "change",
    [
        {"text": ""},
        {"text": "x" * 10_001},
        {"text": "a\x00"},
        {"text": "\ud800"},
        {"text": 1},
        {"source": "x"},
        {"source": None},
        {"timestamp": "2026-03-01T11:55:00"},
        {"timestamp": "2026-03-01T12:11:00Z"},
        {"labels": {"a": "\x1b"}},
        {"more": 1},
    ],
)
def test_a_bad_event_is_rejected_alone(change: dict[str, object]) -> None:
    parsed = parse_events(json.dumps({"events": [EVENT, {**EVENT, **change}]}).encode(), NOW)
    assert [one.index for one in parsed.rejected] == [1]
    assert parsed.positions == (0,)
