"""What Slack's answers mean: which error may pass, which needs a person, which leaves doubt."""

from typing import Any

from alerts.http import Answer, Unanswered, retry_after
from domain.errors import NotifyError

EVENT_TYPE = "llm_analyst_alert"
# Answers after which the same call may succeed later; every other error is for a person to repair.
TRANSIENT = frozenset(
    {
        *("ratelimited", "rate_limited", "message_limit_exceeded"),
        *("internal_error", "fatal_error", "service_unavailable", "request_timeout"),
        # A workspace that moves into an organisation is out of reach until it has.
        *("team_added_to_org", "org_login_required", "accesslimited"),
    }
)
UNCERTAIN = frozenset({"internal_error", "fatal_error", "request_timeout"})
GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
UNSHOWABLE = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"})


class SlackRefused(NotifyError):
    def __init__(self, name: str, error: str) -> None:
        super().__init__(name, error, permanent=True)
        self.error = error


def refusal(name: str, answer: Answer, content: dict[str, Any]) -> NotifyError:
    error = error_word(str(content.get("error", "")))
    if not error:
        return Unanswered(name, "sent an answer that is not Slack's")
    if error in UNCERTAIN:
        return Unanswered(name, error)
    if error in TRANSIENT:
        return NotifyError(name, error, retry_after=retry_after(answer.headers))
    return SlackRefused(name, error)


def error_word(text: str) -> str:
    """An error's name as Slack gives it; anything else, such as a page of HTML, is not repeated."""
    return text if text.replace("_", "").isalnum() and len(text) <= 60 else ""


def key_of(message: dict[str, Any]) -> object:
    metadata = message.get("metadata") or {}
    return (
        (metadata.get("event_payload") or {}).get("key") if metadata.get("event_type") == EVENT_TYPE else None
    )
