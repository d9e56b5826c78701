"""What Slack sends us, read strictly into the few things that we understand; all else is None.

Only what is needed is kept: no tokens, no profiles. Every text in it came from outside.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal
from urllib.parse import parse_qs

from alerts.slack.modals import CAUSE_BLOCK, COMMENT_BLOCK, INPUT, WRONG_MODAL

Road = Literal["events", "interactions", "commands"]
MAX_TEXT = 4_000
_ID = re.compile(r"[A-Z0-9]{2,40}", re.ASCII)
_TS = re.compile(r"[0-9]{1,12}\.[0-9]{1,6}", re.ASCII)
_MENTION = re.compile(r"<@[A-Z0-9]+(\|[^>]*)?>")
_LINK = re.compile(r"<([^>|]*)\|([^>]*)>")


class Unreadable(ValueError):
    """The body is not what Slack sends."""


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that somebody did in Slack.

    Args:
        kind: `mention` (or a direct message), `reply` in a thread, `press` of a button, `wrong` (the window
            was sent off), or `command`.
        user: who did it, such as `U012AB3CD`.
        channel: where.
        thread: the message that the thread hangs on; where there is none, the message itself.
        text: what was written, or the argument of a command.
        action: the pressed button.
        value: what the button is about, or what was chosen.
        comment: what was written into the modal.
        trigger: opens a modal, for three seconds.
        response_url: takes an answer that only this person sees, for half an hour.
        team: the workspace of this person, which in a shared channel need not be ours.
    """

    kind: Literal["mention", "reply", "press", "wrong", "command"]
    user: str
    channel: str = ""
    thread: str = ""
    text: str = ""
    action: str = ""
    value: str = ""
    comment: str = ""
    trigger: str = ""
    response_url: str = ""
    team: str = ""

    @property
    def lane(self) -> str:
        """What must happen one after the other: one thread of one channel."""
        return f"{self.channel}:{self.thread or self.user}"

    @property
    def payload(self) -> dict[str, str]:
        """What is stored of it."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def stored(cls, payload: Mapping[str, Any]) -> "Said":
        """Read it back."""
        return cls(**payload)


@dataclass(frozen=True, slots=True)
class Inbound:
    """What came in, with the name under which a second one has no effect; `challenge` is to be given back."""

    delivery_id: str
    said: Said | None = None
    challenge: str | None = None


def read_body(road: Road, body: bytes) -> Inbound:
    """Read the body of a signed request; raises Unreadable."""
    try:
        text = body.decode("utf-8")
        if road == "events":
            return read_payload(road, json.loads(text))
        form = {name: values[0] for name, values in parse_qs(text, max_num_fields=100).items()}
        return read_payload(road, json.loads(form["payload"]) if road == "interactions" else form)
    except (ValueError, KeyError, RecursionError):
        raise Unreadable("the body is not what Slack sends here") from None


def read_payload(road: Road, payload: Any) -> Inbound:
    """Read a payload, from whichever road; raises Unreadable."""
    if not isinstance(payload, dict):
        raise Unreadable("the payload is no object")
    if road == "events":
        return _event(payload)
    said = _interaction(payload) if road == "interactions" else _command(payload)
    name = _text(payload, "trigger_id") or _digest(payload)
    team = _text(_object(payload, "user"), "team_id") or _text(_object(payload, "team"), "id")
    return Inbound(f"{road}:{name}", said and replace(said, team=team or _text(payload, "team_id")))


def _event(payload: dict[str, Any]) -> Inbound:
    if payload.get("type") == "url_verification":
        return Inbound("", challenge=_text(payload, "challenge"))
    event = _object(payload, "event")
    name = f"events:{_text(payload, 'event_id') or _digest(payload)}"
    # The bot's own messages, and changes of messages, are no questions.
    if event.get("bot_id") or event.get("subtype") or not _ID.fullmatch(_text(event, "user")):
        return Inbound(name)
    ts, thread = _text(event, "ts"), _text(event, "thread_ts")
    if not _TS.fullmatch(ts) or (thread and not _TS.fullmatch(thread)):
        return Inbound(name)
    said = _question(event, thread or ts, in_thread=bool(thread))
    team = _text(event, "user_team") or _text(event, "team") or _text(payload, "team_id")
    return Inbound(name, said and replace(said, team=team))


def _question(event: dict[str, Any], thread: str, *, in_thread: bool) -> Said | None:
    raw, direct = _text(event, "text"), event.get("channel_type") == "im"
    if event.get("type") == "app_mention" or (event.get("type") == "message" and direct):
        kind: Literal["mention", "reply"] = "mention"
    elif event.get("type") == "message" and in_thread and not _MENTION.search(raw):
        # A mention in a thread comes as an event of its own; other mentions are for other people.
        kind = "reply"
    else:
        return None
    return Said(kind, _text(event, "user"), _text(event, "channel"), thread, plain(raw))


def _interaction(payload: dict[str, Any]) -> Said | None:
    user = _text(_object(payload, "user"), "id")
    if not _ID.fullmatch(user):
        return None
    if payload.get("type") == "view_submission":
        return _submitted(user, _object(payload, "view"))
    actions = payload.get("actions")
    if payload.get("type") != "block_actions" or not isinstance(actions, list) or not actions:
        return None
    action = actions[0] if isinstance(actions[0], dict) else {}
    chosen = _object(action, "selected_option")
    container = _object(payload, "container")
    return Said(
        "press",
        user,
        channel=_text(_object(payload, "channel"), "id") or _text(container, "channel_id"),
        thread=_text(container, "thread_ts") or _text(container, "message_ts"),
        action=_text(action, "action_id"),
        value=_text(action, "value") or _text(chosen, "value"),
        trigger=_text(payload, "trigger_id"),
        response_url=_text(payload, "response_url"),
    )


def _submitted(user: str, view: dict[str, Any]) -> Said | None:
    if view.get("callback_id") != WRONG_MODAL:
        return None
    values = _object(_object(view, "state"), "values")
    cause = _object(_object(_object(values, CAUSE_BLOCK), INPUT), "selected_option")
    comment = _object(_object(values, COMMENT_BLOCK), INPUT)
    diagnosis, _, place = _text(view, "private_metadata").partition("|")
    channel, _, thread = place.partition("|")
    return Said(
        "wrong",
        user,
        channel,
        thread,
        text=_text(cause, "value"),
        value=diagnosis,
        comment=_text(comment, "value"),
    )


def _command(payload: dict[str, Any]) -> Said | None:
    user = _text(payload, "user_id")
    if not _ID.fullmatch(user):
        return None
    return Said(
        "command",
        user,
        channel=_text(payload, "channel_id"),
        text=plain(_text(payload, "text")),
        trigger=_text(payload, "trigger_id"),
        response_url=_text(payload, "response_url"),
    )


def plain(text: str) -> str:
    """What a person wrote without Slack's markup: no mentions, links by their label, no entities."""
    text = _LINK.sub(r"\2", _MENTION.sub(" ", text)).replace("<", " ").replace(">", " ")
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, character)
    text = text.translate({0x201C: '"', 0x201D: '"', 0x2018: "'", 0x2019: "'"})
    return " ".join(text.split())[:MAX_TEXT]


def _text(source: dict[str, Any], name: str) -> str:
    value = source.get(name)
    return value[:MAX_TEXT] if isinstance(value, str) else ""


def _object(source: dict[str, Any], name: str) -> dict[str, Any]:
    value = source.get(name)
    return value if isinstance(value, dict) else {}


def _digest(payload: dict[str, Any]) -> str:
    content = json.dumps(payload, sort_keys=True).encode("utf-8", "replace")
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
