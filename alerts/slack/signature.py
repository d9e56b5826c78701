"""Slack's request signatures, version 0: who cannot sign is refused, whatever else the request says.

Slack's own verifier raises on a timestamp that is no number and on a signature that is not ASCII, and needs
a package that only bots need; twenty lines of the standard library do not.
"""

import hashlib
import hmac
import re

VERSION = "v0"
TIMESTAMP_HEADER = "X-Slack-Request-Timestamp"
SIGNATURE_HEADER = "X-Slack-Signature"
WINDOW_S = 300
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


class BadSignature(Exception):
    """The request was not signed by Slack, or not now; the text says what is wrong with it."""


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """`v0=` and the hex HMAC-SHA256 of `v0:timestamp:body`."""
    content = f"{VERSION}:{timestamp}:".encode() + body
    return f"{VERSION}={hmac.new(secret, content, hashlib.sha256).hexdigest()}"


def verify(secret: bytes, timestamps: list[str], signatures: list[str], body: bytes, now: float) -> None:
    """Accept a request that was signed with the secret within five minutes of now.

    Args:
        secret: shared with Slack; an empty one accepts nothing.
        timestamps: all values of the timestamp's header.
        signatures: all values of the signature's header.
        body: as it came over the wire.
        now: seconds since 1970, by the wall clock.

    Raises:
        BadSignature: anything else.
    """
    if not secret.strip():
        raise BadSignature("no signing secret is configured")
    if len(timestamps) != 1 or not _TIMESTAMP.fullmatch(timestamps[0]):
        raise BadSignature(f"needs one {TIMESTAMP_HEADER}, in seconds")
    if len(signatures) != 1 or not _SIGNATURE.fullmatch(signatures[0]):
        raise BadSignature(f"needs one {SIGNATURE_HEADER} of the form v0=HEX")
    if abs(now - int(timestamps[0])) > WINDOW_S:
        raise BadSignature("was signed more than five minutes before or after now")
    if not hmac.compare_digest(sign(secret, timestamps[0], body), signatures[0]):
        raise BadSignature("the signature does not fit")
