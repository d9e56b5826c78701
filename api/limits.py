"""How often somebody may knock: per token, per address, and for wrong tokens and sign-ins."""

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from api.problem import HttpProblem
from api.settings import ServerSettings

# Of one source that is busy for this long at its limit, the next request waits.
BURST_SECONDS = 10.0
_MINUTE = 60.0
_KEPT = 20_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Buckets:
    """Token buckets by key: each holds `burst` and is refilled; the least used are forgotten.

    Args:
        rate: refilled in a second; 0 means no limit.
        burst: how many at once.
    """

    def __init__(
        self,
        rate: float,
        burst: float,
        clock: Callable[[], float] = time.monotonic,
        kept: int = _KEPT,
    ) -> None:
        self._rate = rate
        self._burst = max(1.0, burst)
        self._clock = clock
        self._kept = kept
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one; the seconds to wait where there is none, else 0."""
        return self._wait(key, taken=1.0)

    def wait(self, key: str) -> float:
        """The seconds until there is one, without taking it."""
        return self._wait(key, taken=0.0)

    def _wait(self, key: str, taken: float) -> float:
        if self._rate <= 0:
            return 0.0
        with self._lock:
            bucket = self._filled(key)
            if bucket.left < 1.0:
                return (1.0 - bucket.left) / self._rate
            bucket.left -= taken
            return 0.0

    def _filled(self, key: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.setdefault(key, _Bucket(self._burst, now))
        self._buckets.move_to_end(key)
        bucket.left = min(self._burst, bucket.left + max(0.0, now - bucket.at) * self._rate)
        bucket.at = now
        while len(self._buckets) > self._kept:
            self._buckets.popitem(last=False)
        return bucket


class Limits:
    """The limits of one app. Whoever is over one is told when to come back."""

    def __init__(self, settings: ServerSettings, clock: Callable[[], float] = time.monotonic) -> None:
        def per_second(rate: float) -> Buckets:
            return Buckets(rate, rate * BURST_SECONDS, clock)

        def per_minute(count: float) -> Buckets:
            return Buckets(count / _MINUTE, count, clock)

        self._proxies = frozenset(settings.trusted_proxies)
        self._by_address = per_second(settings.requests_per_second_per_address)
        self._by_token = per_second(settings.requests_per_second)
        self._wrong = per_minute(settings.wrong_tokens_per_minute)
        self._logins = per_minute(settings.logins_per_minute)
        self._welcome: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def arrived(self, scope: Scope) -> None:
        """A request came in; raises HttpProblem 429 where its address sends too many."""
        address = self.address_of(scope)
        _check(self._by_address.take(address), "This address sends too many requests.")
        if scope["path"] == "/login" and scope["method"] == "POST":
            _check(self._logins.take(address), "Too many attempts to sign in.")

    def recognised(self, name: str) -> None:
        """A caller was recognised; raises HttpProblem 429 where it sends too many requests."""
        _check(self._by_token.take(name), "This token sends too many requests.")

    def before_token(self, scope: Scope, token: bytes) -> None:
        """A token is about to be looked at; raises HttpProblem 429 after too many wrong ones.

        A token that was right from this address before passes all the same, so that nobody can lock out
        those who share an address.
        """
        address = self.address_of(scope)
        if (address, token) not in self._welcome:
            _check(self._wrong.wait(address), "Too many wrong tokens from this address.")

    def right_token(self, scope: Scope, token: bytes) -> None:
        """Remember that this token was right from this address."""
        self._welcome[(self.address_of(scope), token)] = None
        while len(self._welcome) > _KEPT:
            self._welcome.popitem(last=False)

    def failed(self, scope: Scope) -> None:
        """A wrong token or signature was presented; raises HttpProblem 429 after too many of them."""
        _check(self._wrong.take(self.address_of(scope)), "Too many wrong tokens from this address.")

    def address_of(self, scope: Scope) -> str:
        """Who is counted: the address of the client, behind trusted proxies the one they tell."""
        client = scope.get("client")
        address = str(client[0]) if client else ""
        if address in self._proxies:
            told = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).split(",")
            # Each proxy adds whom it saw at the end; what stands before the last foreign one can be forged.
            address = next(
                (one.strip() for one in reversed(told) if one.strip() not in {"", *self._proxies}), address
            )
        return _network(address)


def _network(address: str) -> str:
    """An IPv6 host usually owns its whole /64."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if isinstance(ip, ipaddress.IPv4Address) or ip.is_loopback:
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.ip_network((int(ip), 64), strict=False))


def _check(wait: float, said: str) -> None:
    if wait > 0:
        seconds = str(max(1, math.ceil(wait)))
        raise HttpProblem(429, f"{said} Come back in {seconds} s.", headers={"Retry-After": seconds})
