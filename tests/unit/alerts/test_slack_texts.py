"""What Slack sends is read strictly, and what we answer fits its rules and is inert."""

import json
import string
from typing import Any

import pytest
from alert_cases import NOW, story
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from alerts.blocks import render
from alerts.notice import Notice
from alerts.slack.inbound import Inbound, Said, Unreadable, plain, read_body, read_payload
from alerts.slack.modals import wrong_modal
from alerts.slack.replies import answer_message, help_message, incidents_message, said
from alerts.slack.settings import SlackSettings
from alerts.slack.signature import BadSignature, sign, verify
from alerts.summary import summarise

URL = "https://analyst.desk.example"


def valid(message: dict[str, Any]) -> None:
    """Slack's own models take it."""
    for block in message["blocks"]:
        parsed = Block.parse(block)
        assert parsed is not None
        parsed.validate_json()
    assert len(message["blocks"]) <= 50
    assert message["text"]


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(max_size=9_000))
def test_any_answer_is_a_message_that_slack_takes_and_pings_nobody(text: str) -> None:
    message = answer_message(text, URL)
    valid(message)
    shown = json.dumps(message, ensure_ascii=False)
    assert "<!" not in shown
    assert "<@" not in shown
    assert "<http" not in shown.replace(f"<{URL}/", "")


def test_ids_become_links_and_markup_of_the_web_goes() -> None:
    message = answer_message("**Why** [I-3], see [E1] `x`\n- first [A-12]", URL)
    [block] = message["blocks"]
    assert block["text"]["text"] == (
        f"Why <{URL}/incidents/I-3|I-3>, see [E1] x\n• first <{URL}/anomalies/A-12|A-12>"
    )


def test_our_own_messages_fit_slacks_rules() -> None:
    valid(help_message())
    valid(said("No incident is open."))
    summaries = [summarise(story(n), URL) for n in range(15)]
    valid(incidents_message(summaries, 30, URL))
    valid(incidents_message([], 0, URL))


def test_the_message_with_its_buttons_fits_slacks_rules() -> None:
    notice = Notice(
        key="k",
        reason="first_notification",
        summaries=(summarise(story(), URL),),
        fresh=("I-1",),
        digest=None,
        remote_ref=None,
        uncertain=False,
        now=NOW,
    )
    valid(render(notice, marked=False))


def test_the_window_fits_slacks_rules_however_many_causes_there_are() -> None:
    causes = [(f"cause_{n}", "long words " * 20) for n in range(300)]
    view = wrong_modal("D-1", "C1|1.1", causes)
    View(**view).validate_json()
    options = view["blocks"][0]["element"]["options"]
    assert len(options) == 100
    assert options[-1]["value"] == "unknown"


@settings(deadline=None)  # a busy machine is no failure
@given(st.binary(max_size=300), st.sampled_from(["events", "interactions", "commands"]))
def test_any_bytes_are_read_or_refused(body: bytes, road: Any) -> None:
    try:
        found = read_body(road, body)
    except Unreadable:
        return
    assert isinstance(found, Inbound)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=20,
)
_NAMES = ["type", "event", "user", "user_id", "actions", "view", "container", "trigger_id", "state", "id"]


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.dictionaries(st.sampled_from(_NAMES), _JSON, max_size=8),
    st.sampled_from(["events", "interactions", "commands"]),
)
def test_any_payload_is_read_to_something_that_can_be_stored(payload: dict[str, Any], road: Any) -> None:
    found = read_payload(road, payload)
    if found.said is not None:
        assert Said.stored(json.loads(json.dumps(found.said.payload))) == found.said


def test_the_same_interaction_has_the_same_name_and_another_another() -> None:
    one = {"type": "block_actions", "user": {"id": "U1"}, "actions": [{"action_id": "a"}]}
    first, again = read_payload("interactions", one), read_payload("interactions", dict(one))
    other = read_payload("interactions", {**one, "trigger_id": "9.9"})
    assert first.delivery_id == again.delivery_id != other.delivery_id


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("<@U0BOT> why did it fall?", "why did it fall?"),
        ("see <https://x.example/a|the page> &amp; <https://y.example>", "see the page & https://y.example"),
        ("a &lt;b&gt; c &amp;lt;", "a <b> c &lt;"),
        ("tell\nme \u201cwhy\u201d", 'tell me "why"'),
        ("<@U0BOT|bot>", ""),
    ],
)
def test_what_people_write_is_read_without_markup(raw: str, words: str) -> None:
    assert plain(raw) == words


@settings(deadline=None)  # a busy machine is no failure
@given(st.binary(max_size=200), st.integers(min_value=10**9, max_value=10**11), st.integers(-299, 299))
def test_a_signature_of_ours_is_taken_inside_the_window_only(body: bytes, stamp: int, shift: int) -> None:
    signed = sign(b"secret", str(stamp), body)
    verify(b"secret", [str(stamp)], [signed], body, stamp + shift)
    for moment in (stamp + 301, stamp - 301):
        with pytest.raises(BadSignature):
            verify(b"secret", [str(stamp)], [signed], body, moment)
    with pytest.raises(BadSignature):
        verify(b"", [str(stamp)], [sign(b"", str(stamp), body)], body, stamp)


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.text(alphabet=string.printable + "\u0661\u00e9", max_size=20),
    st.text(alphabet=string.hexdigits + "v=\u00e9", max_size=70),
)
def test_no_made_up_header_is_taken_and_none_breaks_the_check(stamp: str, signature: str) -> None:
    with pytest.raises(BadSignature):
        verify(b"secret", [stamp], [signature], b"{}", 1_700_000_000)


@pytest.mark.parametrize("operator", ["alice", "@alice", "u123", "C0CHANNEL", "U1 ", ""])
def test_operators_are_ids(operator: str) -> None:
    with pytest.raises(ValueError, match="no id of a user"):
        SlackSettings.model_validate({"webhook_url": "https://x", "operators": [operator]})
