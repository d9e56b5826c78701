"""The one door over HTTP: bounded in time and size, following no redirect, telling no secret."""

import base64
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2

from collectors.addresses import AddressGuard, PublicAddresses, resolve
from collectors.secret import read_secret, redact
from collectors.settings_base import HttpSource, check_url
from domain.errors import ConfigurationError, SourceError

LONGEST_STALL_S = 10.0
_PERMANENT = frozenset({400, 401, 403, 404, 405, 406, 410, 422})
_TOO_BUSY = frozenset({429, 503})
_CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: decompressed body and lower-case content type without parameters."""

    status: int
    content_type: str
    body: bytes


class AnswerTooLarge(SourceError):
    """The answer was longer than may be read; a smaller question may have a shorter one."""


class HttpReader:
    """Reads from one configured address.

    Args:
        settings: of the source.
        url: the address, which may be a secret itself.
        headers: of every request, with their secrets.
        guard: decides on resolved addresses.
        secrets: what no error may show.
    """

    def __init__(
        self,
        settings: HttpSource,
        url: str,
        headers: Mapping[str, str],
        guard: AddressGuard,
        secrets: tuple[str, ...],
    ) -> None:
        self._name = settings.name
        self._max_bytes = settings.max_bytes
        self._url = httpx2.URL(url)
        self._shown = _shown(url, secret=settings.url_env is not None)
        self._headers = headers
        self._guard = guard
        self._secrets = secrets
        self._tls = _trust(settings, url)

    @classmethod
    def of(cls, settings: HttpSource, environ: Mapping[str, str], guard: AddressGuard | None = None) -> Self:
        """Look up the secrets of the settings; raises ConfigurationError where one is missing."""
        secrets = {
            name: read_secret(environ, name, settings.name)
            for name in (
                settings.url_env,
                settings.bearer_token_env,
                settings.password_env,
                *settings.headers_env.values(),
            )
            if name
        }
        url = secrets[settings.url_env] if settings.url_env else settings.url
        try:
            check_url(url)
        except ValueError as error:
            raise ConfigurationError(f"sources.{settings.name}", str(error)) from None
        headers = dict(settings.headers)
        headers.update({name: secrets[variable] for name, variable in settings.headers_env.items()})
        if settings.bearer_token_env:
            headers["Authorization"] = f"Bearer {secrets[settings.bearer_token_env]}"
        elif settings.username is not None:
            password = secrets[settings.password_env] if settings.password_env else ""
            pair = base64.b64encode(f"{settings.username}:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        guard = guard or PublicAddresses(settings.allow_private_addresses)
        return cls(settings, url, headers, guard, tuple(secrets.values()))

    def get(
        self,
        path: str = "",
        params: Mapping[str, str] | None = None,
        *,
        accept: str,
        deadline: float,
        error_bodies: bool = False,
    ) -> Answer:
        """Read one answer.

        Args:
            path: appended to the configured address.
            params: query parameters, sent besides those of the address.
            accept: the header `Accept`.
            deadline: on `time.monotonic`; the whole answer must be there by then.
            error_bodies: return 400 and 422 as answers, as some services explain themselves there.

        Raises:
            SourceError: no whole answer, or one that says no.
        """
        url = self._url.copy_with(path=self._url.path.rstrip("/") + path) if path else self._url
        url = url.copy_merge_params(dict(params)) if params else url
        refused: SourceError | None = None
        for address in self._addresses():
            try:
                return self._request(url, address, accept, deadline, error_bodies=error_bodies)
            except httpx2.ConnectError as error:
                # The next address may answer: localhost is often ::1 first.
                refused = self._error(f"cannot connect to {self._shown}: {error}")
            except httpx2.TimeoutException:
                raise self._error(f"{self._shown} did not answer in time") from None
            except httpx2.HTTPError as error:
                late = time.monotonic() >= deadline
                why = "did not finish in time" if late else f"broke off: {type(error).__name__}"
                raise self._error(f"{self._shown} {why}") from None
        raise refused or self._error(f"{self._shown} has no address")

    def _addresses(self) -> list[str]:
        host = self._url.host
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        try:
            addresses = resolve(host, port)
        except (OSError, UnicodeError):
            raise self._error(f"{self._shown}: the host name has no address") from None
        for address in addresses:
            refusal = self._guard.refusal(address)
            if refusal:
                raise self._error(f"{self._shown} {refusal}", permanent=True)
        return addresses

    def _request(
        self, url: httpx2.URL, address: str, accept: str, deadline: float, *, error_bodies: bool
    ) -> Answer:
        left = max(0.05, deadline - time.monotonic())
        timeout = httpx2.Timeout(min(left, LONGEST_STALL_S))
        with (
            _Watchdog(left) as watchdog,
            httpx2.Client(
                verify=self._tls, trust_env=False, follow_redirects=False, timeout=timeout
            ) as client,
        ):
            request = client.build_request(
                "GET",
                # To the address that was checked, so that a second look-up cannot lead elsewhere.
                url.copy_with(host=address),
                headers={
                    "Accept": accept,
                    "Accept-Encoding": "gzip",
                    "User-Agent": "llm-analyst",
                    **self._headers,
                    "Host": self._url.netloc.decode("ascii"),
                },
                extensions={"sni_hostname": self._url.host, "trace": watchdog.trace},
            )
            response = client.send(request, stream=True)
            try:
                self._check(response, error_bodies=error_bodies)
                body = b"".join(self._body(response))
            finally:
                response.close()
        content_type = response.headers.get("content-type", "").split(";")[0].strip().lower()
        return Answer(response.status_code, content_type, body)

    def _check(self, response: httpx2.Response, *, error_bodies: bool) -> None:
        status = response.status_code
        if 200 <= status < 300 or (error_bodies and status in {400, 422}):
            return
        if 300 <= status < 400:
            raise self._error(
                f"{self._shown} redirects (HTTP {status}), which is not followed", permanent=True
            )
        raise self._error(
            f"{self._shown} answered HTTP {status}",
            permanent=status in _PERMANENT,
            retry_after=_retry_after(response.headers) if status in _TOO_BUSY else None,
        )

    def _body(self, response: httpx2.Response) -> Iterator[bytes]:
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"identity", "gzip", ""}:
            raise self._error(
                f"{self._shown} answered in the encoding {encoding[:20]!r}, which was not asked for"
            )
        size = 0
        raw = response.iter_raw(_CHUNK)
        for chunk in self._inflated(raw) if encoding == "gzip" else raw:
            size += len(chunk)
            if size > self._max_bytes:
                raise AnswerTooLarge(
                    self._name, f"{self._shown} answered more than {self._max_bytes} bytes", permanent=True
                )
            yield chunk

    def _inflated(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        # In small steps: a few bytes can stand for gigabytes.
        inflater = zlib.decompressobj(31)
        for chunk in chunks:
            rest = chunk
            while rest and not inflater.eof:
                try:
                    yield inflater.decompress(rest, _CHUNK)
                except zlib.error:
                    raise self._error(f"{self._shown} answered broken gzip") from None
                rest = inflater.unconsumed_tail
        if not inflater.eof:
            raise self._error(f"{self._shown} answered gzip that ends in the middle")

    def _error(
        self, reason: str, *, permanent: bool = False, retry_after: float | None = None
    ) -> SourceError:
        return SourceError(
            self._name, redact(reason, self._secrets), permanent=permanent, retry_after=retry_after
        )


class _Watchdog:
    """Cuts the connection at the deadline: timeouts between bytes do not end an answer that drips."""

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._stream: Any = None
        self._late = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by the transport at every step; keeps hold of the newest layer of the connection."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._stream = info["return_value"]
            if self._late:
                self._cut()

    def _cut(self) -> None:
        self._late = True
        if self._stream is not None:
            # An error means that it had just ended by itself.
            with suppress(OSError):
                self._stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _trust(settings: HttpSource, url: str) -> ssl.SSLContext:
    if settings.ca_file:
        try:
            return ssl.create_default_context(cafile=settings.ca_file)
        except OSError:
            raise ConfigurationError(f"sources.{settings.name}.ca_file", "cannot be read") from None
    if url.startswith("https"):
        return ssl.create_default_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used; loading certificates takes its time


def _retry_after(headers: httpx2.Headers) -> float:
    """Seconds that the source asked for; 60 where it did not say or cannot be understood."""
    text = headers.get("retry-after", "").strip()
    with suppress(ValueError):
        return max(0.0, float(text))
    try:
        # Both times are on the source's clock, so that ours does not matter.
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return 60.0


def _shown(url: str, *, secret: bool) -> str:
    """An address as it may be shown: never its query, and not its path where it is a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" + ("" if secret else parts.path)
