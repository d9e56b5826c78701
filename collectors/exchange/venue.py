"""One venue through ccxt: its client, its pace, and its errors in our words."""

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from collectors.addresses import PublicAddresses
from collectors.exchange.settings import VenueSource
from collectors.exchange.transport import VenueSession
from collectors.gate import clean_text
from collectors.secret import redact
from domain.errors import ConfigurationError, SourceError

_STUMBLES = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
_SAID = re.compile(r'"(?:retMsg|ret_msg|msg|message|error|label)"\s*:\s*"([^"]{1,200})"')
_WAIT_S = 30.0
_NOT_FOUND = frozenset({404, 405, 406})
_TYPES = frozenset({"spot", "linear", "inverse", "option"})


class CallFailed(SourceError):
    """This call brought nothing; other calls to the venue may."""


class Pace:
    """Spaces the calls of all clients of one venue, because the venue counts them together."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._free_at = 0.0

    def wait(self, seconds: float) -> None:
        """Take the next turn, and keep the venue free of others for that long."""
        with self._turn:
            now = time.monotonic()
            at = max(now, self._free_at)
            self._free_at = at + seconds
        time.sleep(max(0.0, at - now))


# The venue counts per address of ours, so the pace belongs to the process, not to a source.
_PACES: dict[tuple[str, str | None], Pace] = {}
_PACES_GUARD = threading.Lock()


def _pace_of(venue: str, base_url: str | None) -> Pace:
    with _PACES_GUARD:
        return _PACES.setdefault((venue, base_url), Pace())


class Venue:
    """Calls ccxt's methods, one at a time, each within a deadline.

    Args:
        settings: of the source.
        symbols: which decide what kinds of markets have to be listed.
        credentials: ccxt's names of keys with their values; empty for public data.
    """

    def __init__(
        self, settings: VenueSource, symbols: tuple[str, ...], credentials: Mapping[str, str] | None = None
    ) -> None:
        self._settings = settings
        self._secrets = tuple((credentials or {}).values())
        self._client = _client(settings, symbols, credentials or {})
        self._session: VenueSession = self._client.session
        self._loaded_at: float | None = None

    @property
    def client(self) -> Any:
        """The client of ccxt, for what it knows about the venue."""
        return self._client

    def has(self, method: str) -> bool:
        """Whether the venue offers what ccxt calls e.g. `fetchOpenInterest`; emulations count."""
        return bool(self._client.has.get(method))

    def markets(self, deadline: float) -> Mapping[str, Any]:
        """The venue's markets by symbol, listed anew from time to time.

        Raises:
            SourceError: the venue did not list them.
        """
        now = time.monotonic()
        old = self._loaded_at is not None and now - self._loaded_at > 3_600 * self._settings.markets_hours
        if self._loaded_at is None:
            self.call("the list of markets", "load_markets", True, deadline=deadline)
            self._loaded_at = now
        elif old:
            # An old list is better than none.
            with suppress(CallFailed):
                self.call("the list of markets", "load_markets", True, deadline=deadline)
            self._loaded_at = now
        markets: Mapping[str, Any] = self._client.markets
        return markets

    def call(self, what: str, method: str, *arguments: Any, deadline: float) -> Any:
        """Call a method of ccxt's client.

        Args:
            what: how an error calls the thing that was asked for.
            method: name of the method.
            arguments: passed on.
            deadline: on `time.monotonic`.

        Raises:
            CallFailed: the venue refused this call, or answered something of another shape.
            SourceError: the venue could not be reached, or wants to be left alone.
        """
        import ccxt  # noqa: PLC0415 - loaded only where it is configured

        self._session.deadline = min(deadline, time.monotonic() + self._settings.call_seconds)
        try:
            return getattr(self._client, method)(*arguments)
        except ccxt.BaseError as error:
            raise self._told(what, error) from None
        except _STUMBLES as error:
            # Only the kind of the stumble: its message may quote the answer.
            reason = f"{what} has an unexpected shape ({type(error).__name__})"
            raise CallFailed(self._settings.name, reason) from None

    def _told(self, what: str, error: Exception) -> SourceError:
        """An error in our words; its own text may quote signed addresses and is not passed on."""
        import ccxt  # noqa: PLC0415

        name = self._settings.name
        said = _SAID.search(str(error))
        quoted = f": {clean_text(redact(said[1], self._secrets), 120)}" if said else ""
        reason = f"asking for {what} was refused ({type(error).__name__}){quoted}"
        if isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection):
            return SourceError(name, reason, retry_after=self._asked_to_wait())
        if isinstance(error, ccxt.NetworkError) and self._session.last_status not in _NOT_FOUND:
            return SourceError(name, reason)
        if isinstance(error, ccxt.AuthenticationError):
            return SourceError(name, reason, permanent=True)
        if isinstance(error, ccxt.BadSymbol | ccxt.NotSupported):
            return CallFailed(name, reason, permanent=True)
        return CallFailed(name, reason)

    def _asked_to_wait(self) -> float:
        headers = self._session.last_headers
        try:
            return max(0.0, float(headers.get("retry-after", _WAIT_S)))
        except ValueError:
            return _WAIT_S


def _client(settings: VenueSource, symbols: tuple[str, ...], credentials: Mapping[str, str]) -> Any:
    ccxt, refused = _library(settings.name)
    kind = getattr(ccxt, settings.venue, None) if settings.venue in ccxt.exchanges else None
    if kind is None:
        raise ConfigurationError(f"sources.{settings.name}.venue", f"ccxt knows no venue {settings.venue!r}")
    session = VenueSession(
        settings.name, PublicAddresses(settings.allow_private_addresses), settings.max_bytes, refused
    )
    client = kind(
        {
            **credentials,
            "session": session,
            "enableRateLimit": True,
            "options": dict(settings.options),
            # ccxt logs requests with their keys on level DEBUG.
            "logger": _silent(),
            "userAgent": "llm-analyst",
        }
    )
    pace = _pace_of(settings.venue, settings.base_url)
    client.throttle = _throttle(pace, client)
    if settings.base_url:
        client.urls["api"] = _moved(client.urls["api"], settings.base_url)
    _list_only(client, symbols)
    return client


def _silent() -> logging.Logger:
    logger = logging.getLogger("collectors.exchange.silent")
    logger.setLevel(logging.CRITICAL + 1)
    return logger


def _library(source: str) -> tuple[Any, type[Exception]]:
    try:
        import ccxt  # noqa: PLC0415
        from ccxt.base.exchange import HTTPError  # noqa: PLC0415
    except ImportError:
        raise ConfigurationError(
            f"sources.{source}", "needs ccxt: pip install llm-analyst[exchange]"
        ) from None
    return ccxt, HTTPError


def _throttle(pace: Pace, client: Any) -> Callable[[float | None], None]:
    def throttle(cost: float | None = None) -> None:
        pace.wait(client.rateLimit * (1 if cost is None else cost) / 1_000)

    return throttle


def _moved(urls: Any, base_url: str) -> Any:
    """The same addresses on another scheme and host; paths stay."""
    if isinstance(urls, Mapping):
        return {name: _moved(one, base_url) for name, one in urls.items()}
    if not isinstance(urls, str):
        return urls
    base, path = urlsplit(base_url), urlsplit(urls).path
    return urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + path, "", ""))


def _list_only(client: Any, symbols: tuple[str, ...]) -> None:
    """List only the kinds of markets that are wanted: the others cost calls and megabytes."""
    listed = client.options.get("fetchMarkets")
    types = listed.get("types") if isinstance(listed, dict) else None
    if isinstance(types, list) and set(types) <= _TYPES and symbols:
        wanted = {_type_of(symbol) for symbol in symbols} & set(types)
        listed["types"] = sorted(wanted) or types


def _type_of(symbol: str) -> str:
    pair, _, settled = symbol.partition(":")
    if not settled:
        return "spot"
    if settled.count("-") > 1:
        return "option"
    return "linear" if settled.split("-")[0] == pair.partition("/")[2] else "inverse"
