"""Who cannot sign as Slack does is refused on every door, whatever else the request says."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slack_desk import SECRET, SlackDesk, event_body, mention, signed_headers, slack_desk

BODY = b'{"type":"url_verification","challenge":"3eZbrw1aB"}'
TIME, SIGNATURE = "X-Slack-Request-Timestamp", "X-Slack-Signature"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlackDesk]:
    folder: Path = tmp_path_factory.mktemp("signed")
    with slack_desk(folder, f"sqlite:///{folder / 'analyst.db'}", told=False) as running:
        yield running


def good() -> dict[str, str]:
    return signed_headers(BODY)


def changed(**headers: str) -> dict[str, str]:
    return {**good(), **{name.replace("_", "-"): value for name, value in headers.items()}}


def by_hand(stamp: str, secret: bytes = SECRET.encode(), version: str = "v0") -> dict[str, str]:
    digest = hmac.new(secret, f"{version}:{stamp}:".encode() + BODY, hashlib.sha256).hexdigest()
    return {TIME: stamp, SIGNATURE: f"{version}={digest}"}


PROBES: dict[str, Callable[[], dict[str, str]]] = {
    "nothing at all": dict,
    "no signature": lambda: {TIME: good()[TIME]},
    "no time": lambda: {SIGNATURE: good()[SIGNATURE]},
    "empty signature": lambda: changed(X_Slack_Signature=""),
    "another version": lambda: by_hand(str(int(time.time())), version="v1"),
    "older than five minutes": lambda: signed_headers(BODY, time.time() - 301),
    "years old": lambda: by_hand("0"),
    "from the future": lambda: signed_headers(BODY, time.time() + 330),
    "replayed under another time": lambda: {**signed_headers(BODY, time.time() - 10), TIME: good()[TIME]},
    "signed for another body": lambda: signed_headers(BODY + b" "),
    "truncated": lambda: changed(X_Slack_Signature=good()[SIGNATURE][:-1]),
    "longer": lambda: changed(X_Slack_Signature=good()[SIGNATURE] + "0"),
    "upper-case hex": lambda: changed(X_Slack_Signature="v0=" + good()[SIGNATURE][3:].upper()),
    "another secret": lambda: signed_headers(BODY, secret="not the secret"),
    "the empty secret": lambda: by_hand(str(int(time.time())), secret=b""),
    "a time that is no number": lambda: by_hand("now"),
    "a negative time": lambda: by_hand("-1"),
    "a time in digits of another script": lambda: {**good(), TIME: "\u0661\u0662"},
    "a fractional time": lambda: by_hand(f"{time.time():.3f}"),
    "a huge time": lambda: by_hand("9" * 40),
    "a signature that is not ASCII": lambda: {**good(), SIGNATURE: "v0=\u00e9"},
    "a bare digest": lambda: changed(X_Slack_Signature=good()[SIGNATURE][3:]),
    "a bearer token instead": lambda: {"Authorization": f"Bearer {SECRET}"},
}


@pytest.mark.parametrize("road", ["events", "interactions", "commands"])
@pytest.mark.parametrize("probe", PROBES)
def test_what_slack_did_not_sign_is_refused(desk: SlackDesk, probe: str, road: str) -> None:
    given = {"Content-Type": "application/json", **PROBES[probe]()}
    headers = [(name.encode(), value.encode("utf-8")) for name, value in given.items()]
    answer = desk.client.post(f"/slack/{road}", content=BODY, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert SECRET not in answer.text


def test_two_signatures_are_refused_although_one_fits(desk: SlackDesk) -> None:
    headers = [*good().items(), (SIGNATURE, "v0=" + "0" * 64)]
    assert desk.client.post("/slack/events", content=BODY, headers=headers).status_code == 401


def test_slacks_own_signer_opens_the_door(desk: SlackDesk) -> None:
    answer = desk.send("events", BODY)
    assert (answer.status_code, answer.json()) == (200, {"challenge": "3eZbrw1aB"})
    for late in (-290, 290):
        assert desk.send("events", BODY, signed_headers(BODY, time.time() + late)).status_code == 200


@pytest.mark.parametrize(
    ("road", "body"),
    [
        ("events", b"not json"),
        ("events", b"[1,2]"),
        ("events", b"\xff\xfe"),
        ("events", b'{"event":' + b"[" * 20_000),
        ("interactions", b"payload=%7B"),
        ("interactions", b"nothing=1"),
        ("interactions", b"payload=%5B%5D"),
        ("commands", b"&".join(b"a%d=1" % n for n in range(500))),
    ],
)
def test_a_signed_body_that_is_not_slacks_is_a_400(desk: SlackDesk, road: str, body: bytes) -> None:
    assert desk.send(road, body).status_code == 400


@pytest.mark.parametrize(
    "event",
    [
        {"type": "event_callback"},
        {"type": "event_callback", "event": 7},
        {"type": "event_callback", "event": {"type": "message", "user": "U1"}},
        {"type": "event_callback", "event": {"type": "app_mention", "user": {"id": 1}, "ts": "1.1"}},
        {"type": "event_callback", "event": {"type": "app_mention", "user": "U1", "ts": "yesterday"}},
        {"type": "event_callback", "event": {"type": "reaction_added", "user": "U1", "event_ts": "1.1"}},
        {"type": "app_rate_limited"},
        {},
    ],
)
def test_signed_things_that_mean_nothing_to_us_are_taken_and_left(
    desk: SlackDesk, event: dict[str, object]
) -> None:
    answer = desk.send("events", json.dumps(event).encode())
    assert (answer.status_code, answer.content) == (200, b"")


def test_the_answer_comes_long_before_slack_gives_up(desk: SlackDesk) -> None:
    for _ in range(20):
        assert desk.send("events", event_body(mention("what happened?"))).status_code == 200
    assert max(one.elapsed.total_seconds() for one in desk.answers) < 3
