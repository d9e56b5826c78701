"""Arguments of tools as programs and models send them: what does not fit is refused before it is used."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.chat import model_tools
from agent.chat.tool_arguments import checked, shape
from domain.errors import InvalidInput
from service import desk_tools

SPAN = {"start": "2026-03-01T11:00:00Z", "end": "2026-03-01T12:00:00Z"}
DOORS = pytest.mark.parametrize("limits", [model_tools.LIMITS, desk_tools.LIMITS], ids=["model", "program"])
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@DOORS
@pytest.mark.parametrize(
    ("name", "arguments", "field"),
    [
        ("series_statistics", {"series": "pnl", **SPAN}, "series"),
        ("series_statistics", {"series": [1e308], **SPAN}, "series.0"),
        ("series_statistics", {"series": ["x" * 5_000], **SPAN}, "series.0"),
        ("series_statistics", {"series": ["pnl"] * 101, **SPAN}, "series"),
        ("series_statistics", {"series": ["pnl"], **SPAN, "path": "/etc/passwd"}, "path"),
        ("series_statistics", {"series": ["pnl"], **SPAN, "start": float("nan")}, "start"),
        ("series_statistics", {"series": ["pnl"], **SPAN, "start": 1e308}, "start"),
        ("series_statistics", {"series": ["pnl"], **SPAN, "start": -1}, "start"),
        ("series_statistics", {"series": ["pnl"], **SPAN, "start": "2026-03-01T11:00:00"}, "start"),
        ("series_statistics", {"series": ["pnl"], **SPAN, "start": "now'); DROP TABLE event; --"}, "start"),
        ("series_statistics", {"series": ["pnl"], **SPAN, "start": "999999-01-01T00:00:00Z"}, "start"),
        (
            "compare_windows",
            {"series": ["pnl"], "span": [SPAN["start"]], "other": list(SPAN.values())},
            "span",
        ),
        ("list_incidents", {**SPAN, "min_severity": "catastrophic"}, "min_severity"),
        ("list_series", {"limit": True}, "limit"),
        ("list_series", {"limit": 10**12}, "limit"),
        ("list_series", {"limit": -1}, "limit"),
        ("list_series", {"limit": 2.5}, "limit"),
        ("list_series", {"labels": {"venue": "bybit"}}, "labels.venue"),
        ("get_incident", {"incident_id": ["I-1"]}, "incident_id"),
        ("get_incident", {}, "incident_id"),
    ],
)
def test_what_a_tool_does_not_take_is_named(limits: Any, name: str, arguments: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked(name, arguments, limits)
    assert refused.value.field == field


@DOORS
def test_a_time_without_seconds_is_read_as_both_doors_document_it(limits: Any) -> None:
    found = checked("money", {"metric": "pnl", "start": "2026-03-01T11:00Z", "end": SPAN["end"]}, limits)
    assert dict(found)["start"].isoformat() == "2026-03-01T11:00:00+00:00"


@DOORS
@given(st.sampled_from(desk_tools.NAMES), JSON)
def test_whatever_is_sent_is_taken_or_refused(limits: Any, name: str, sent: Any) -> None:
    with contextlib.suppress(InvalidInput):
        assert dict(checked(name, sent, limits)).keys() <= shape(name, limits).model_fields.keys()


def test_both_doors_offer_the_same_arguments() -> None:
    for name in desk_tools.NAMES:
        shown = shape(name, desk_tools.LIMITS).model_json_schema()
        given_to_models = model_tools.descriptions([name])[0]["parameters"]
        assert set(shown.get("properties", {})) == set(given_to_models["properties"]), name
        assert shown.get("required", []) == given_to_models["required"]
        assert json.dumps(shown)
