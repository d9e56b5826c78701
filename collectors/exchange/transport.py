"""What ccxt sends its requests through: our own door, bounded in time and size, following no redirect."""

import json
import logging
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2

from collectors.addresses import AddressGuard, resolve
from collectors.bounded import LONGEST_STALL_S, Body, Watchdog, parts_of, retry_after
from domain.errors import SourceError

_TOO_MANY = frozenset({418, 429})
# ccxt parses an answer once more, and keeps what it makes of it beside it.
_MOST_PARTS = 2_000_000
_PASSED_ON = frozenset({400, 401, 403, 404, 405, 406, 409, 422})


class Reply:
    """An answer in the form that ccxt reads.

    Args:
        status: HTTP status.
        headers: lower-case names.
        text: the whole body.
        refused: raised by `raise_for_status`, so that ccxt reads the venue's own error code.
    """

    encoding = "utf-8"

    def __init__(
        self, status: int, headers: Mapping[str, str], text: str, refused: type[Exception] | None
    ) -> None:
        self.status_code = status
        self.reason = ""
        self.headers = _AnyCase(headers)
        self.text = text
        self._refused = refused

    @property
    def content(self) -> bytes:
        return self.text.encode()

    def raise_for_status(self) -> None:
        if self._refused is not None and self.status_code >= 400:
            raise self._refused(f"HTTP {self.status_code}")


class _AnyCase(dict[str, str]):
    """Headers as ccxt looks them up, in whatever case."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key.lower(), default)

    def __getitem__(self, key: str) -> str:
        return super().__getitem__(key.lower())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and super().__contains__(key.lower())


class VenueSession:
    """Stands where ccxt expects a session of `requests`; one connection per host is kept open.

    Args:
        source: name of the source, for errors.
        guard: decides on resolved addresses.
        max_bytes: longest body.
        refused: the error by which ccxt recognises an HTTP status.
        monotonic: seconds on a clock that is never set.
    """

    def __init__(
        self,
        source: str,
        guard: AddressGuard,
        max_bytes: int,
        refused: type[Exception],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.headers: dict[str, str] = {}
        self.cookies: dict[str, str] = {}
        self.deadline = 0.0
        self.last_headers: Mapping[str, str] = {}
        self.last_status = 0
        self._source = source
        self._guard = guard
        self._max_bytes = max_bytes
        self._refused = refused
        self._monotonic = monotonic
        self._client: httpx2.Client | None = None
        self._streams: dict[str, Any] = {}
        self._connected_anew = True

    def request(  # noqa: PLR0913, PLR0917 - the signature is that of `requests`
        self,
        method: str,
        url: str,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        proxies: object = None,
        verify: object = None,
        files: object = None,
    ) -> Reply:
        """Send one request; raises SourceError where there is no whole, usable answer."""
        del timeout, proxies, verify, files
        parts = urlsplit(url)
        shown = f"{parts.scheme}://{parts.netloc}{parts.path}"
        refused: SourceError | None = None
        for address in self._addresses(parts.hostname or "", parts.port, parts.scheme, shown):
            try:
                return self._send_again(method, httpx2.URL(url), address, data, headers or {}, shown)
            except httpx2.ConnectError as error:
                refused = self._error(f"cannot connect to {parts.netloc}: {error}")
            except httpx2.TimeoutException:
                raise self._error(f"{shown} did not answer in time") from None
            except httpx2.HTTPError as error:
                late = self._monotonic() >= self.deadline
                why = "did not finish in time" if late else f"broke off: {type(error).__name__}"
                raise self._error(f"{shown} {why}") from None
        raise refused or self._error(f"{parts.netloc} has no address")

    def close(self) -> None:
        """Close kept connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _addresses(self, host: str, port: int | None, scheme: str, shown: str) -> list[str]:
        try:
            addresses = resolve(host, port or (443 if scheme == "https" else 80))
        except (OSError, UnicodeError):
            raise self._error(f"{shown}: the host name has no address") from None
        for address in addresses:
            refusal = self._guard.refusal(address)
            if refusal:
                raise self._error(f"{host} {refusal}", permanent=True)
        return addresses

    def _send_again(
        self,
        method: str,
        url: httpx2.URL,
        address: str,
        data: bytes | None,
        headers: Mapping[str, str],
        shown: str,
    ) -> Reply:
        """Send once more where a kept connection had just been closed: the request was never looked at."""
        try:
            return self._send(method, url, address, data, headers, shown)
        except (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError):
            if self._connected_anew or method != "GET" or self._monotonic() >= self.deadline:
                raise
            self.close()
            return self._send(method, url, address, data, headers, shown)

    def _send(
        self,
        method: str,
        url: httpx2.URL,
        address: str,
        data: bytes | None,
        headers: Mapping[str, str],
        shown: str,
    ) -> Reply:
        left = self.deadline - self._monotonic()
        if left <= 0:
            raise self._error(f"{shown} was not asked: no time is left")
        client = self._connected()
        with Watchdog(left, self._streams.get(address)) as watchdog:
            request = client.build_request(
                method,
                # To the address that was checked, so that a second look-up cannot lead elsewhere.
                url.copy_with(host=address),
                content=data,
                headers={**headers, "Accept-Encoding": "gzip", "Host": url.netloc.decode("ascii")},
                extensions={"sni_hostname": url.host, "trace": watchdog.trace},
                timeout=httpx2.Timeout(min(left, LONGEST_STALL_S)),
            )
            try:
                response = client.send(request, stream=True)
            finally:
                self._streams, self._connected_anew = {address: watchdog.stream}, watchdog.connected
            try:
                self.last_headers, self.last_status = response.headers, response.status_code
                self._check(response, shown)
                body = Body(self._source, shown, self._max_bytes).read(response)
            finally:
                response.close()
        return self._reply(response, body, shown)

    def _connected(self) -> httpx2.Client:
        if self._client is None:
            for chatty in ("httpx2", "httpcore2"):
                # They log whole addresses, and signatures stand in addresses.
                logging.getLogger(chatty).setLevel(logging.WARNING)
            self._client = httpx2.Client(
                verify=ssl.create_default_context(),
                trust_env=False,
                follow_redirects=False,
                limits=httpx2.Limits(max_connections=4, max_keepalive_connections=1),
            )
        return self._client

    def _check(self, response: httpx2.Response, shown: str) -> None:
        status = response.status_code
        if 200 <= status < 300 or status in _PASSED_ON:
            return
        if 300 <= status < 400:
            raise self._error(f"{shown} redirects (HTTP {status}), which is not followed", permanent=True)
        waits = status in _TOO_MANY or "retry-after" in response.headers
        raise self._error(
            f"{shown} answered HTTP {status}" + (": too many requests" if status in _TOO_MANY else ""),
            retry_after=retry_after(response.headers) if waits else None,
        )

    def _reply(self, response: httpx2.Response, body: bytes, shown: str) -> Reply:
        status = response.status_code
        if parts_of(body) > _MOST_PARTS:
            raise self._error(f"{shown} answered JSON of more than {_MOST_PARTS} parts", permanent=True)
        try:
            text = body.decode("utf-8-sig")
            json.loads(text, parse_constant=lambda name: name)
        except (ValueError, RecursionError):
            if status >= 400:
                raise self._error(f"{shown} answered HTTP {status}", permanent=True) from None
            page = body[:200].lstrip().lower().startswith((b"<!doctype", b"<html"))
            what = "a web page; is a login or a proxy in between?" if page else "no JSON"
            raise self._error(f"{shown} answered {what}") from None
        return Reply(status, response.headers, text, self._refused)

    def _error(
        self, reason: str, *, permanent: bool = False, retry_after: float | None = None
    ) -> SourceError:
        return SourceError(self._source, reason, permanent=permanent, retry_after=retry_after)
