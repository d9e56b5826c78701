"""What must not leave: keys and passwords, in whatever text they turn up."""

import os
import re

_SHAPES = re.compile(
    r"\b(sk-[A-Za-z0-9_-]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,})"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----"
    r"|(?<=://)[^/\s:@]+:[^/\s:@]+(?=@)"
    r"|hooks\.slack\.com/services/[A-Za-z0-9/_-]+"
)
_SECRET_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|WEBHOOK|DSN", re.IGNORECASE)
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
MASK = "[redacted]"
MIN_SECRET = 8


def redacted(text: str) -> str:
    """Text without what looks like a secret, and without the values of secret environment variables."""
    for name, value in os.environ.items():
        if len(value) >= MIN_SECRET and _SECRET_NAMES.search(name) and value in text:
            text = text.replace(value, MASK)
    return _SHAPES.sub(MASK, text)


def cleaned(text: str) -> str:
    """Text without control, bidirectional and zero-width characters."""
    return _HIDDEN.sub("", text)
