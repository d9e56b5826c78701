"""The window that asks what it was, after somebody said that a diagnosis was wrong."""

from collections.abc import Sequence
from typing import Any

from alerts.text import cut

WRONG_MODAL = "diagnosis.wrong"
CAUSE_BLOCK = "cause"
COMMENT_BLOCK = "comment"
INPUT = "input"
UNKNOWN = "unknown"
MAX_COMMENT = 1_000
MAX_OPTIONS = 100  # of one list, by Slack's rules
MAX_LABEL = 75


def wrong_modal(diagnosis_id: str, place: str, causes: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The view.

    Args:
        diagnosis_id: what was wrong.
        place: `channel|message` of the button, to answer there.
        causes: key and words of each known cause; the list is closed.
    """
    options = [*causes[: MAX_OPTIONS - 1], (UNKNOWN, "None of these, or not known")]
    return {
        "type": "modal",
        "callback_id": WRONG_MODAL,
        "private_metadata": f"{diagnosis_id}|{place}"[:3_000],
        "title": _plain("What was it?"),
        "submit": _plain("Send"),
        "close": _plain("Cancel"),
        "blocks": [
            {
                "type": "input",
                "block_id": CAUSE_BLOCK,
                "label": _plain(f"What caused it, if not what {diagnosis_id} says?"),
                "element": {
                    "type": "static_select",
                    "action_id": INPUT,
                    "placeholder": _plain("Choose a cause"),
                    "options": [{"text": _plain(words), "value": key[:75]} for key, words in options],
                },
            },
            {
                "type": "input",
                "block_id": COMMENT_BLOCK,
                "optional": True,
                "label": _plain("How do you know?"),
                "element": {
                    "type": "plain_text_input",
                    "action_id": INPUT,
                    "multiline": True,
                    "max_length": MAX_COMMENT,
                },
            },
        ],
    }


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": cut(text, MAX_LABEL), "emoji": False}
