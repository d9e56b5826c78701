"""Tokens counted without a vocabulary: a little too many rather than too few."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_PIECES = re.compile(r"[A-Za-z]+|\d+|\n|[^\sA-Za-z\d]")
PER_MESSAGE = 4


def count_tokens(text: str) -> int:
    """Upper estimate of the tokens of a text for the byte-pair vocabularies in use.

    Words count one token per six letters, numbers one per three digits, other signs one each.
    """
    total = 0
    for piece in _PIECES.findall(text):
        if piece[0].isascii() and piece[0].isalpha():
            total += -(-len(piece) // 6)
        elif piece[0].isascii() and piece[0].isdigit():
            total += -(-len(piece) // 3)
        else:
            total += 1 if piece.isascii() else 2
    return total


def count_messages(messages: Iterable[Mapping[str, Any]]) -> int:
    """Tokens of a conversation, with what the format adds to each message."""
    return sum(PER_MESSAGE + count_tokens(str(one.get("content") or "")) for one in messages)
