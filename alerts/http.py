"""The only HTTP door of this room: deadlines, no redirects, no private addresses, no secrets in errors."""

import contextlib
import json
import math
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from alerts.watchdog import Watchdog
from domain.addresses import is_public, meant
from domain.errors import NotifyError

MAX_ANSWER_BYTES = 1_000_000
MAX_ADDRESSES = 3
MAX_WAIT_S = 86_400.0
DEFAULT_WAIT_S = 30.0
PERMANENT = frozenset({400, 401, 403, 404, 405, 410, 413, 415, 422})
# Nothing of the request can have reached the receiver when one of these is raised.
_NOT_DELIVERED = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.UnsupportedProtocol,
)


class Unanswered(NotifyError):
    """The receiver may have taken the message although its answer is missing or says otherwise."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers with lower-case names, and body (at most a megabyte)."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json_object(self) -> dict[str, object]:
        """The body as a JSON object; empty where it is something else."""
        try:
            content = json.loads(self.body)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    def text(self) -> str:
        """The first words of the body."""
        return self.body[:200].decode("utf-8", errors="replace").strip()


@dataclass(frozen=True, slots=True)
class _Target:
    """One address to connect to, and the name that the other side goes by."""

    url: httpx2.URL
    host_header: str
    name: str


class HttpDoor:
    """POSTs for one receiver.

    Args:
        name: of the receiver, for errors.
        timeout_s: deadline of a whole call.
        allow_hosts: hosts that may be called although they are not public.
    """

    def __init__(self, name: str, timeout_s: float, allow_hosts: tuple[str, ...] = ()) -> None:
        self._name = name
        self._timeout_s = timeout_s
        self._allow_hosts = frozenset(host.lower() for host in allow_hosts)
        # Proxies of the environment would resolve names behind the guard's back.
        self._client = httpx2.Client(
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
            # A kept connection may be gone when it is used, and then nobody knows what was delivered.
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a body and read the answer, whatever its status.

        Raises:
            NotifyError: the address is refused, or nothing was delivered.
            Unanswered: it may have been delivered, but no whole answer came.
        """
        targets = self._pinned(url)
        for target in targets[:-1]:
            # A name may have addresses that this machine has no road to, such as IPv6 ones.
            with contextlib.suppress(*_NOT_DELIVERED):
                return self._send(target, content, headers)
        try:
            return self._send(targets[-1], content, headers)
        except _NOT_DELIVERED as error:
            raise NotifyError(self._name, _unreachable(error)) from None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _send(self, target: _Target, content: bytes, headers: Mapping[str, str]) -> Answer:
        with Watchdog(self._timeout_s) as watchdog:
            try:
                with self._client.stream(
                    "POST",
                    target.url,
                    content=content,
                    headers={**headers, "Host": target.host_header, "Accept-Encoding": "identity"},
                    extensions={"sni_hostname": target.name, "trace": watchdog.trace},
                ) as response:
                    body = self._read(response)
                    return Answer(response.status_code, dict(response.headers.items()), body)
            except _NOT_DELIVERED:
                raise
            except httpx2.HTTPError as error:
                why = (
                    "took too long to answer" if watchdog.late else f"gave no answer ({type(error).__name__})"
                )
                raise Unanswered(self._name, why) from None

    def _read(self, response: httpx2.Response) -> bytes:
        body = b""
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise Unanswered(self._name, "sent an answer that is too long")
        return body

    def _pinned(self, url: str) -> list[_Target]:
        """The URL with its host replaced by addresses that were checked.

        Checking a name and then connecting by name would let a second look-up give another address.
        """
        try:
            parsed = httpx2.URL(url)
        except httpx2.InvalidURL:
            raise NotifyError(self._name, "the address is no URL", permanent=True) from None
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise NotifyError(self._name, "the address must begin with http:// or https://", permanent=True)
        host_header = parsed.netloc.decode("ascii")
        port = parsed.port or (443 if parsed.scheme == "https" else 80)
        return [
            _Target(parsed.copy_with(host=address), host_header, parsed.host)
            for address in self._resolve(parsed.host, port)
        ]

    def _resolve(self, host: str, port: int) -> list[str]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise NotifyError(self._name, "the host name cannot be resolved") from None
        addresses = [str(entry[4][0]).split("%", maxsplit=1)[0] for entry in found]
        if host.lower() not in self._allow_hosts:
            for address in addresses:
                if not is_public(meant(address)):
                    raise NotifyError(
                        self._name,
                        f"the host {host!r} is not public; list it in alerts.allow_hosts to call it",
                        permanent=True,
                    )
        return list(dict.fromkeys(addresses))[:MAX_ADDRESSES]


def _unreachable(error: Exception) -> str:
    """Why nobody was reached, without the address, which may hold a secret."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "its certificate cannot be verified"
    return f"cannot be reached ({type(error).__name__})"


def retry_after(headers: Mapping[str, str], wall: datetime | None = None) -> float:
    """Seconds to wait that an answer asks for, between 1 s and a day; a default where it says nothing usable.

    Args:
        headers: with lower-case names.
        wall: the real time, for a date instead of seconds; taken from the answer's own `date` otherwise.
    """
    text = headers.get("retry-after", "").strip()
    seconds = DEFAULT_WAIT_S
    try:
        seconds = float(text)
    except ValueError:
        until = _date(text)
        since = wall or _date(headers.get("date", ""))
        if until is not None and since is not None:
            seconds = (until - since).total_seconds()
    if math.isnan(seconds):
        return DEFAULT_WAIT_S
    return min(max(seconds, 1.0), MAX_WAIT_S)


def _date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def check_answer(name: str, answer: Answer) -> None:
    """Raise what a status outside 2xx means.

    Raises:
        NotifyError: not delivered; permanent where sending the same again cannot help.
        Unanswered: a 5xx, which some gateways send after the message went through.
    """
    if 200 <= answer.status < 300:
        return
    reason = f"HTTP {answer.status}"
    if answer.status == 429:
        raise NotifyError(name, reason, retry_after=retry_after(answer.headers))
    if answer.status >= 500:
        wait = retry_after(answer.headers) if "retry-after" in answer.headers else None
        raise Unanswered(name, reason, retry_after=wait)
    raise NotifyError(name, reason, permanent=answer.status in PERMANENT or 300 <= answer.status < 400)
