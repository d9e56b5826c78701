"""The gate between computed values and stored ones: what numpy or the outside world may bring in."""

import math
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import numpy as np
from pydantic import BaseModel

from domain.errors import InvalidInput
from domain.timestamps import format_rfc3339

_MAX = 1.7976931348623157e308
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


def plain_text(text: str) -> str:
    """Text that both databases take: NUL and lone surrogates become U+FFFD, nothing else changes."""
    return _UNSTORABLE.sub("\ufffd", text) if _UNSTORABLE.search(text) else text


def plain_float(value: Any) -> float | None:
    """A finite Python float; NaN becomes None, an infinity the largest finite float of its sign."""
    number = float(value)
    if math.isfinite(number):
        return number
    return None if math.isnan(number) else math.copysign(_MAX, number)


def to_plain(value: Any) -> Any:
    """Reduce a value to what JSON can say without loss of type on the way back.

    Numpy scalars and arrays become Python numbers and lists, times RFC 3339 text, mappings get text keys,
    NaN becomes None, an infinity the largest finite float.

    Raises:
        InvalidInput: the value is of a kind that nobody could read back.
    """
    if value is None or (isinstance(value, bool | int) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return to_plain(value.value)
    if isinstance(value, str):
        return plain_text(str(value))
    if isinstance(value, float | np.floating):
        return plain_float(value)
    return _plain_object(value)


def _plain_object(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return to_plain(value.tolist())
    if isinstance(value, datetime):
        return format_rfc3339(value)
    if isinstance(value, BaseModel):
        return to_plain(value.model_dump())
    return _plain_container(value)


def _plain_container(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {plain_text(str(to_plain(name))): to_plain(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [to_plain(one) for one in value]
    if isinstance(value, AbstractSet):
        return sorted((to_plain(one) for one in value), key=repr)
    raise InvalidInput("value", f"cannot be stored: {type(value).__name__}")
