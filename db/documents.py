"""JSON as it stands in the database: compact, no NaN, and digests over it."""

import hashlib
import json
from typing import Any

from db.plain import to_plain


def dumps(value: Any) -> str:
    """Compact JSON text; raises ValueError where a NaN slipped through."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def canonical(value: Any) -> str:
    """JSON text that is the same for equal values: plain types, sorted keys."""
    return json.dumps(
        to_plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=True
    )


def digest(*parts: Any) -> str:
    """A short fingerprint of some values, for unique columns of bounded length."""
    return hashlib.sha256(canonical(parts).encode()).hexdigest()[:40]
