"""Identifiers as people see them: `A-1042` outside, an integer inside."""

from typing import Literal

from domain.errors import NotFound

Kind = Literal["anomaly", "incident", "diagnosis", "thread"]
_PREFIX: dict[Kind, str] = {"anomaly": "A", "incident": "I", "diagnosis": "D", "thread": "T"}
_MAX = 2**62


def outside(kind: Kind, number: int) -> str:
    """The identifier of a stored object."""
    return f"{_PREFIX[kind]}-{number}"


def inside(kind: Kind, identifier: str) -> int:
    """The number in an identifier; raises NotFound where it cannot be one of this kind."""
    prefix, _, digits = identifier.partition("-")
    if prefix != _PREFIX[kind] or not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise NotFound(kind, identifier[:100])
    if int(digits) > _MAX:
        raise NotFound(kind, identifier[:100])
    return int(digits)


def inside_or_none(kind: Kind, identifier: str | None) -> int | None:
    """As `inside`, None for None."""
    return None if identifier is None else inside(kind, identifier)
