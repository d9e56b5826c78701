"""A model's answer on its way to the person who asked: each sentence is checked before it is shown."""

import re
from collections.abc import Callable

from agent.chat.spoken import Ground, checked

MAX_SAID = 6_000
# A sentence ends before white space; a line ends where it ends.
_END = re.compile(r"[.!?:](?=\s)|\n")
CUT = " (cut off)"


class Voice:
    """Collects what streams in and shows whole sentences; what was shown stays.

    Args:
        ground: what sentences may rest on, as it is now.
        tell: shows a piece.
    """

    def __init__(self, ground: Callable[[], Ground], tell: Callable[[str], None]) -> None:
        self._ground = ground
        self._tell = tell
        self._said: list[str] = []
        self._size = 0
        self._waiting = ""
        self._heard = False
        self._broken = False
        # Before anything was looked up nothing is shown: it could rest on nothing.
        self.held = True

    @property
    def text(self) -> str:
        """All that was shown."""
        return "".join(self._said)

    @property
    def committed(self) -> bool:
        """Whether something was shown in the answer that streams in now, so that it cannot be asked anew."""
        return self._broken

    def begin(self) -> None:
        """An attempt begins: what came of an earlier one and was not shown is forgotten."""
        self._waiting, self._heard, self._broken = "", False, False

    def hear(self, piece: str) -> None:
        """A piece of the answer streams in."""
        self._heard = True
        self._waiting += piece
        if self.held or self._waiting.lstrip()[:1] in {"", "{", "`"}:
            return
        end = _last_end(self._waiting)
        if end:
            self._say(self._waiting[:end])
            self._waiting = self._waiting[end:]

    def forget(self) -> None:
        """The answer was a wish for tools: what was not shown of it is dropped."""
        self._waiting = ""
        if self._said and not self._said[-1].endswith("\n"):
            self._say("\n")
        self._broken = False

    def finish(self, text: str, *, truncated: bool = False) -> None:
        """The answer is complete: show what is left of it.

        Args:
            text: the whole answer, which is shown where nothing of it streamed in.
            truncated: whether it was cut at its length.
        """
        rest = self._waiting if self._heard and self._broken else text
        self._waiting = ""
        self._say(rest.rstrip() if self._said else rest.strip())
        if truncated:
            self._say(CUT)
        self._broken = False

    def _say(self, piece: str) -> None:
        if not piece or self._size >= MAX_SAID:
            return
        shown = checked(piece, self._ground())
        left = MAX_SAID - self._size
        shown = shown if len(shown) <= left else f"{shown[:left]}…"
        self._said.append(shown)
        self._size += len(shown)
        self._broken = True
        self._tell(shown)


def _last_end(text: str) -> int:
    """Where the last whole sentence ends; 0 where none does. An open quotation is not cut."""
    for match in reversed(list(_END.finditer(text))):
        head = text[: match.end()]
        if head.count("“") == head.count("”") and head.count("{") == head.count("}"):
            return match.end()
    return 0
