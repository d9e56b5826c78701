"""What messages say, and that no text from outside can do anything in them."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from alert_cases import NOW, anomaly, diagnosis, hypothesis, incident, story
from fake_slack import too_much
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from alerts.blocks import ACKNOWLEDGE, CORRECT, DIAGNOSE_AGAIN, OPEN, SNOOZE, WRONG, render
from alerts.notice import Notice
from alerts.outbox import Story
from alerts.plain import body, subject_line
from alerts.summary import duration, sparkline, summarise
from alerts.text import cut_escaped, inert, mrkdwn
from domain.diagnosis import Action

URL = "http://desk.example:8000"


def notice(*stories: Story, digest: str | None = None, **changes: Any) -> Notice:
    summaries = tuple(summarise(one, URL) for one in stories)
    fresh = tuple(one.incident_id for one in summaries)
    base = Notice("incident:I-1@x", "grew", summaries, fresh, digest, None, uncertain=False, now=NOW)
    return replace(base, **changes)


def diagnosed() -> Story:
    return Story(incident(diagnosis_id="D-1"), (anomaly(), anomaly(2)), diagnosis(), (1.0, 2.0, 9.0))


def all_text(message: dict[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False)


def buttons(message: dict[str, Any]) -> list[str]:
    return [
        one["action_id"]
        for block in message["blocks"]
        if block["type"] == "actions"
        for one in block["elements"]
    ]


def test_a_diagnosed_incident_says_what_moved_since_when_the_money_the_cause_its_rivals_and_what_to_do() -> (
    None
):
    text = all_text(render(notice(diagnosed()), marked=False))
    for expected in (
        "HIGH · Order acknowledgements slow on venue1",
        "2 Mar 11:35 UTC (25 min)",
        "-$41,200 (90 %: -$52,000 to -$30,100)",
        "execution delay, 412 (usual 20 to 60), +8.2 sigma",
        "Gateway to bybit is slow (`gateway:bybit`), 78 %",
        "Rivals: Bad deploy, 12 %; Volatility regime shift, 6 %",
        "1. Route orders to okx",
        "▁▂█",
        f"{URL}/incidents/I-1",
    ):
        assert expected in text


def test_the_buttons_fit_the_state_of_the_incident() -> None:
    assert buttons(render(notice(diagnosed()), marked=False)) == [
        ACKNOWLEDGE,
        DIAGNOSE_AGAIN,
        CORRECT,
        WRONG,
        SNOOZE,
        OPEN,
    ]
    resolved = story(status="resolved", ended_at=NOW)
    assert buttons(render(notice(resolved), marked=False)) == [DIAGNOSE_AGAIN, OPEN]
    taken = story(status="acknowledged", assignee="kim")
    assert ACKNOWLEDGE not in buttons(render(notice(taken), marked=False))


def test_a_message_that_may_be_a_repeat_says_so() -> None:
    message = render(notice(diagnosed()), marked=True)
    assert message["text"].startswith("Possible repeat")
    assert "Possible repeat" in message["blocks"][1]["elements"][0]["text"]
    assert body(notice(diagnosed()), marked=True).startswith("Possible repeat")


def test_an_undecided_diagnosis_abstains_visibly() -> None:
    unsure = Story(incident(), (anomaly(),), diagnosis(outcome="inconclusive"))
    text = all_text(render(notice(unsure), marked=False))
    assert "Inconclusive" in text
    assert "Candidates: Gateway to bybit is slow" in text
    assert "Likely cause" not in text
    healthy = Story(incident(), (anomaly(),), diagnosis(outcome="no_fault"))
    assert "No fault" in all_text(render(notice(healthy), marked=False))


def test_a_digest_names_every_incident_within_slacks_limits() -> None:
    stories = [story(n, title="x" * 190) for n in range(1, 201)]
    message = render(notice(*stories, digest="beyond the hourly limit"), marked=False)
    assert too_much(message) is None
    assert all(f"I-{n}" in all_text(message) for n in range(1, 201))
    assert "200 incidents" in message["blocks"][0]["text"]["text"]


def test_the_plain_message_says_the_same() -> None:
    text = body(notice(diagnosed()), marked=False)
    assert "Likely cause: Gateway to bybit is slow (gateway:bybit), 78 %" in text
    assert "1. Route orders to okx" in text
    assert subject_line(notice(diagnosed())).startswith(
        "[high] I-1 Order acknowledgements slow on venue1, -$41,200"
    )
    listed = body(notice(story(1), story(2), digest="during quiet hours"), marked=False)
    assert f"{URL}/incidents/I-2" in listed


HOSTILE = [
    "<!channel> <@U123> <https://evil.example|click>",
    "https://evil.example/x and www.evil.example and evil.example/x",
    "mailto:a@evil.example javascript:alert(1) slack://open",
    "![x](https://evil.example/x.png) <img src=x>",
    "*bold* `code` ~gone~",
    "@channel @here @everyone",
    "line\nbreak\r\n> quote\u2028next\x00\x1b[31m",
    "\u202egnp.exe \u2066hidden\u200b",
    "&lt;!channel&gt;",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_is_only_text(text: str) -> None:
    hostile = Story(
        incident(title=text, assignee=text, status="acknowledged"),
        (anomaly(affected_metrics=(text,)),),
        diagnosis(
            primary_hypothesis=hypothesis("H1", text, 0.7, text),
            immediate_actions=(Action(n=1, text=text),),
        ),
    )
    for one in (notice(hostile), notice(hostile, hostile, digest="beyond the hourly limit")):
        message = render(one, marked=False)
        # The only links are ours, and the only angle brackets are theirs.
        written = all_text(message).replace(f"<{URL}", "").replace(f"{URL}/", "")
        for active in (
            "<!",
            "<@",
            "<#",
            "<http",
            "://",
            "www.",
            "mailto:",
            "javascript:",
            "@channel",
            "@here",
        ):
            assert active not in written
        for hidden in ("\\u0000", "\\u001b", "\u202e", "\u2066", "\u200b", "\u2028", "\n> quote"):
            assert hidden not in written
        assert "image" not in {block["type"] for block in message["blocks"]}
        assert "://" not in body(one, marked=False).replace(f"{URL}/", "")


_TEXTS = st.text(max_size=4_000)


@trying(deadline=None)  # a busy machine is no failure
@given(_TEXTS, _TEXTS, st.integers(1, 60), st.booleans())
def test_no_text_makes_slack_refuse_a_message(title: str, name: str, n: int, listed: bool) -> None:
    told = Story(
        incident(title=title, assignee=name, status="acknowledged"),
        tuple(anomaly(i, affected_metrics=(name or "x",), rule=f"r{i}") for i in range(min(n, 9))),
        diagnosis(
            primary_hypothesis=hypothesis("H1", title, 0.7, name),
            immediate_actions=tuple(Action(n=i, text=title) for i in range(1, 6)),
        ),
    )
    message = render(notice(*[told] * n, digest="beyond the hourly limit" if listed else None), marked=True)
    assert too_much(message) is None
    assert len(message["text"]) <= 3_000
    for block in message["blocks"]:
        parsed = Block.parse(block)
        assert parsed is not None
        parsed.to_dict()


@trying(deadline=None)  # a busy machine is no failure
@given(st.text(alphabet="&<>a;", max_size=60), st.integers(3, 40))
def test_cutting_never_leaves_half_an_entity(text: str, longest: int) -> None:
    kept = cut_escaped(mrkdwn(text, 1_000), longest)
    assert len(kept) <= longest
    assert "&" not in kept.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")


def test_ordinary_names_stay_readable() -> None:
    assert (
        inert("fill_ratio fell on bybit: 0.61 (was 0.95), 12:05", 200)
        == "fill_ratio fell on bybit: 0.61 (was 0.95), 12:05"
    )


def test_durations_and_sparklines() -> None:
    assert duration(NOW, NOW + timedelta(minutes=59)) == "59 min"
    assert duration(NOW, NOW + timedelta(hours=3, minutes=10)) == "3 h 10 min"
    assert duration(NOW, NOW + timedelta(days=2, hours=4)) == "2 d 4 h"
    assert sparkline((1.0, float("nan"), 3.0)) == "▁ █"
    assert sparkline((5.0, 5.0)) == "▁▁"
    assert sparkline((1.0,)) == ""
