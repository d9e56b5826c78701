"""The one door over HTTP: bounded in time and size, following no redirect, telling no secret."""

import base64
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

import httpx2

from collectors.addresses import AddressGuard, PublicAddresses, resolve
from collectors.bounded import LONGEST_STALL_S, AnswerTooLarge, Body, Watchdog, retry_after
from collectors.secret import read_secret, redact
from collectors.server_clock import ServerClock
from collectors.settings_base import HttpSource, check_url
from domain.errors import ConfigurationError, SourceError

__all__ = ["Answer", "AnswerTooLarge", "HttpReader"]
_PERMANENT = frozenset({400, 401, 403, 404, 405, 406, 410, 422})
_TOO_BUSY = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: decompressed body and lower-case content type without parameters.

    Whoever quotes from the body takes `secrets` out first: a server may send back what it was sent.
    """

    status: int
    content_type: str
    body: bytes
    secrets: tuple[str, ...] = field(default=(), repr=False)


class HttpReader:
    """Reads from one configured address.

    Args:
        settings: of the source.
        url: the address, which may be a secret itself.
        headers: of every request, with their secrets.
        guard: decides on resolved addresses.
        secrets: what no error may show.

    Attributes:
        clock: how far the server's clock is from this host's, by its latest answer.
    """

    def __init__(
        self,
        settings: HttpSource,
        url: str,
        headers: Mapping[str, str],
        guard: AddressGuard,
        secrets: tuple[str, ...],
    ) -> None:
        self.clock = ServerClock()
        self._name = settings.name
        self._url = httpx2.URL(url)
        self._shown = _shown(url, secret=settings.url_env is not None)
        self._body = Body(settings.name, self._shown, settings.max_bytes)
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
            secrets["Authorization"] = pair
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
            Watchdog(left) as watchdog,
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
            asked = time.time()
            response = client.send(request, stream=True)
            self.clock.heard(response.headers, asked, time.time())
            try:
                self._check(response, error_bodies=error_bodies)
                body = self._body.read(response)
            finally:
                response.close()
        content_type = response.headers.get("content-type", "").split(";")[0].strip().lower()
        return Answer(response.status_code, content_type, body, self._secrets)

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
            retry_after=retry_after(response.headers) if status in _TOO_BUSY else None,
        )

    def _error(
        self, reason: str, *, permanent: bool = False, retry_after: float | None = None
    ) -> SourceError:
        return SourceError(
            self._name, redact(reason, self._secrets), permanent=permanent, retry_after=retry_after
        )


def _trust(settings: HttpSource, url: str) -> ssl.SSLContext:
    if settings.ca_file:
        try:
            return ssl.create_default_context(cafile=settings.ca_file)
        except OSError:
            raise ConfigurationError(f"sources.{settings.name}.ca_file", "cannot be read") from None
    if url.startswith("https"):
        return ssl.create_default_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used; loading certificates takes its time


def _shown(url: str, *, secret: bool) -> str:
    """An address as it may be shown: never its query, and not its path where it is a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" + ("" if secret else parts.path)
