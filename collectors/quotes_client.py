"""Bars through yfinance: its own client, with our time limits, and its errors in our words."""

import importlib
import logging
import tempfile
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from collectors.gate import clean_text, read_number
from collectors.settings_equities import EquitiesSource
from domain.errors import ConfigurationError, SourceError

# yfinance keeps one session for the whole process, so its calls take turns.
_TURN = threading.Lock()
_WAIT_S = 60.0


class NoBars(SourceError):
    """The service has nothing on this symbol; it may have on others."""


@dataclass(frozen=True, slots=True)
class Quote:
    """One bar as it was answered, possibly still forming.

    Args:
        start: its beginning.
        end: when it is over; of a daily bar the next midnight at its exchange.
        close: last price; None where it is missing.
        volume: shares; None where it is missing.
    """

    start: datetime
    end: datetime
    close: float | None
    volume: float | None


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars of one symbol in the order of time.

    Args:
        exchange: code of the exchange, empty where the answer names none.
        currency: of the prices, empty where the answer names none.
    """

    quotes: Sequence[Quote]
    exchange: str
    currency: str


class QuotesClient:
    """Asks for the bars of one symbol at a time.

    Args:
        settings: of the source.
    """

    def __init__(self, settings: EquitiesSource) -> None:
        self._settings = settings
        self._library = _library(settings.name)
        self._session = _session(settings)
        self._strict = _strict(self._library)

    def bars(self, symbol: str, start: datetime, end: datetime, deadline: float) -> Chart:
        """The bars that begin in [start, end).

        Args:
            symbol: Yahoo's.
            start: aware.
            end: aware.
            deadline: on `time.monotonic`.

        Raises:
            NoBars: the service refused this symbol, or has no bars of that time.
            SourceError: the service could not be reached, or answered something else.
        """
        left = min(deadline - time.monotonic(), self._settings.call_seconds)
        if left <= 0 or not _TURN.acquire(timeout=max(0.0, left)):
            raise SourceError(self._settings.name, f"{symbol} was not asked for: no time is left")
        try:
            self._session.until = min(deadline, time.monotonic() + self._settings.call_seconds)
            return self._ask(symbol, start, end)
        finally:
            _TURN.release()

    def _ask(self, symbol: str, start: datetime, end: datetime) -> Chart:
        name, errors = self._settings.name, self._library.exceptions
        try:
            ticker = self._library.Ticker(symbol, session=self._session)
            # Raw prices: adjusted ones change after the fact.
            frame = ticker.history(
                start=start,
                end=end,
                interval=self._settings.interval,
                auto_adjust=False,
                actions=False,
                timeout=self._settings.call_seconds,
                **self._strict,
            )
            meta = ticker.history_metadata
            return _chart(frame, meta if isinstance(meta, Mapping) else {}, self._settings.width_s)
        except errors.YFRateLimitError:
            raise SourceError(name, "too many requests (HTTP 429)", retry_after=_WAIT_S) from None
        except errors.YFException as error:
            reason = clean_text(str(error).partition("(")[0], 120)
            raise NoBars(name, f"{symbol}: {reason or type(error).__name__}") from None
        except OSError as error:
            raise SourceError(name, f"the service did not answer ({type(error).__name__})") from None
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            # Only the kind of the stumble: its message may quote the answer.
            raise NoBars(
                name, f"{symbol}: the answer has an unexpected shape ({type(error).__name__})"
            ) from None


def _chart(frame: Any, meta: Mapping[str, Any], width_s: int) -> Chart:
    quotes = []
    for at, close, volume in zip(frame.index, frame["Close"], frame["Volume"], strict=True):
        start = at.to_pydatetime()
        if start.tzinfo is None:
            raise ValueError("a bar has no time zone")
        # By the calendar, not by 24 hours: days on which clocks change are shorter or longer.
        end = _next_midnight(start) if width_s == 86_400 else start + timedelta(seconds=width_s)
        quotes.append(Quote(start, end, read_number(close), read_number(volume)))
    return Chart(
        sorted(quotes, key=lambda one: one.start),
        clean_text(str(meta.get("exchangeName") or ""), 40),
        clean_text(str(meta.get("currency") or ""), 10),
    )


def _next_midnight(day: datetime) -> datetime:
    naive = day.replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return naive.replace(tzinfo=day.tzinfo)


def _library(source: str) -> Any:
    try:
        library = importlib.import_module("yfinance")
    except ImportError:
        raise ConfigurationError(
            f"sources.{source}", "needs yfinance: pip install llm-analyst[equities]"
        ) from None
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)
    # It turns on warnings about its own old calls, which would stand in our log at every read.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="^yfinance")
    # Its default is a folder in the user's home.
    library.set_tz_cache_location(tempfile.mkdtemp(prefix="quotes-"))
    return library


def _strict(library: Any) -> dict[str, bool]:
    """Have errors raised: newer versions by their configuration, older ones by an argument."""
    config = getattr(library, "config", None)
    if config is None:
        return {"raise_errors": True}
    config.debug.hide_exceptions = False
    return {}


def _session(settings: EquitiesSource) -> Any:
    """A session as yfinance wants it, which keeps to our deadline and may lead elsewhere."""
    curl = importlib.import_module("curl_cffi")
    base: Any = importlib.import_module("curl_cffi.requests").Session

    class Directed(base):  # type: ignore[misc] # the library has no types
        until = 0.0

        def request(self, method: str, url: str, *args: Any, **more: Any) -> Any:
            more["timeout"] = max(0.05, self.until - time.monotonic())
            if settings.base_url:
                more["allow_redirects"] = False
            return super().request(method, _moved(url, settings.base_url), *args, **more)

        def get(self, url: str, **more: Any) -> Any:
            return self.request("GET", url, **more)

        def post(self, url: str, **more: Any) -> Any:
            return self.request("POST", url, **more)

    return Directed(
        impersonate="chrome",
        trust_env=False,
        curl_options={curl.CurlOpt.MAXFILESIZE_LARGE: settings.max_bytes},
    )


def _moved(url: str, base_url: str | None) -> str:
    if base_url is None:
        return url
    base, parts = urlsplit(base_url), urlsplit(url)
    return urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + parts.path, parts.query, ""))
