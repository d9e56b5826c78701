"""Whether a webhook is signed by who holds the secret; every scheme over the exact bytes of the body."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.datastructures import Headers

from domain.errors import InvalidInput
from domain.timestamps import parse_rfc3339

SIGNATURE = "x-analyst-signature"
TIMESTAMP = "x-analyst-timestamp"
_LONGEST_TIME = 40
_STANDARD_KEY = "whsec_"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook as it came in.

    Args:
        headers: of the request.
        body: its bytes, inflated.
        now: the wall clock.
        tolerance_s: how far the time of a signature may be from it.
    """

    headers: Headers
    body: bytes
    now: datetime
    tolerance_s: float

    def only(self, name: str) -> str:
        """The value of a header; empty where it is missing or stands twice."""
        found = self.headers.getlist(name)
        return found[0] if len(found) == 1 else ""


def is_signed(sender: str, delivery: Delivery, secrets: Sequence[str], grafana_time: str) -> bool:
    """Whether one of the secrets made the signature that a sender puts on its deliveries."""
    schemes: Mapping[str, Callable[[Delivery, str], bool]] = {
        "github": _github,
        "gitlab": _gitlab,
        "grafana": lambda one, secret: _grafana(one, secret, grafana_time),
        "alertmanager": _own,
        "generic": lambda one, secret: _own(one, secret) or _standard(one, secret),
    }
    # All are tried: it takes equally long whichever secret it is.
    return sum(schemes[sender](delivery, secret) for secret in secrets) > 0


def _own(delivery: Delivery, secret: str) -> bool:
    """`v1=` and the hex HMAC-SHA256 of `timestamp.body`, as our own webhooks are signed."""
    timestamp = delivery.only(TIMESTAMP)
    scheme, _, given = delivery.only(SIGNATURE).partition("=")
    signed = timestamp.encode("latin-1", "replace") + b"." + delivery.body
    fresh = _is_fresh(timestamp, delivery)
    return _same_hex(secret, signed, given) and fresh and scheme in {"v1", "sha256"}


def _github(delivery: Delivery, secret: str) -> bool:
    """`X-Hub-Signature-256: sha256=HEX` over the body; the older SHA-1 header is not believed."""
    scheme, _, given = delivery.only("x-hub-signature-256").partition("=")
    return _same_hex(secret, delivery.body, given) and scheme == "sha256"


def _gitlab(delivery: Delivery, secret: str) -> bool:
    """Standard Webhooks where the delivery has such a signature, else the plain secret token."""
    if "webhook-signature" in delivery.headers:
        return _standard(delivery, secret)
    return _same(secret.encode(), delivery.only("x-gitlab-token").encode("latin-1", "replace"))


def _grafana(delivery: Delivery, secret: str, time_header: str) -> bool:
    """Hex HMAC-SHA256 of the body, or of `timestamp:body` where the contact point names a header for it."""
    given = delivery.only("x-grafana-alerting-signature")
    if time_header not in delivery.headers:
        return _same_hex(secret, delivery.body, given)
    timestamp = delivery.only(time_header)
    signed = timestamp.encode("latin-1", "replace") + b":" + delivery.body
    return _same_hex(secret, signed, given) and _is_fresh(timestamp, delivery)


def _standard(delivery: Delivery, secret: str) -> bool:
    """Standard Webhooks: `v1,BASE64` of the HMAC-SHA256 of `id.timestamp.body`; several may be listed."""
    identity, timestamp = delivery.only("webhook-id"), delivery.only("webhook-timestamp")
    key = _standard_key(secret)
    if not identity or key is None or not _is_fresh(timestamp, delivery):
        return False
    signed = f"{identity}.{timestamp}.".encode("latin-1", "replace") + delivery.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    listed = delivery.only("webhook-signature").split(" ")[:10]
    given = [one.removeprefix("v1,") for one in listed if one.startswith("v1,")]
    return sum(_same(expected, one.encode("latin-1", "replace")) for one in given) > 0


def _standard_key(secret: str) -> bytes | None:
    if not secret.startswith(_STANDARD_KEY):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_STANDARD_KEY), validate=True)
    except (binascii.Error, ValueError):
        return None


def _same_hex(secret: str, signed: bytes, given: str) -> bool:
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return _same(expected.encode(), given.encode("latin-1", "replace"))


def _same(expected: bytes, given: bytes) -> bool:
    return hmac.compare_digest(expected, given)


def _is_fresh(timestamp: str, delivery: Delivery) -> bool:
    """Whether a time (Unix seconds or RFC 3339) is near the wall clock."""
    if len(timestamp) > _LONGEST_TIME:
        return False
    if timestamp.isascii() and timestamp.isdecimal():
        seconds = float(timestamp)
    else:
        try:
            seconds = parse_rfc3339(timestamp).timestamp()
        except InvalidInput:
            return False
    return abs(delivery.now.timestamp() - seconds) <= delivery.tolerance_s
