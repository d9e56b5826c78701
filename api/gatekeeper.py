"""What every request passes before a route sees it: host, origin, plain text, caller."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import COOKIE, Caller, TokenBook, check_csrf, is_loopback
from api.limits import Limits
from api.problem import HttpProblem, invalid
from api.settings import ServerSettings

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS: Mapping[bytes, bytes] = {
    b"content-security-policy": CONTENT_SECURITY_POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
    b"cache-control": b"no-store",
}
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_OPEN_PATHS = {"/health", "/ready", "/login"}
# Who watches the service must not be sent away by those who flood it.
_WATCHED = {"/health", "/ready"}
_OPEN_PREFIXES = ("/static/", "/slack/", "/hooks/")
_PAGES = re.compile(
    r"/|/(anomalies|incidents|diagnoses)/[^/]+|/chat(/[^/]+)?|/(explore|history|performance|status|demo|logout)"
)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class SecurityHeaders:
    """Put the security headers on every answer; a route's own value of one wins."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message.get("headers", ())}
                missing = [pair for pair in SECURITY_HEADERS.items() if pair[0] not in given]
                message = {**message, "headers": [*message.get("headers", ()), *missing]}
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class Gatekeeper:
    """Refuse who comes too often, foreign hosts and origins, unreadable addresses, and unknown callers."""

    def __init__(
        self,
        app: ASGIApp,
        settings: ServerSettings,
        book: TokenBook,
        limits: Limits,
        clock: Callable[[], datetime],
    ) -> None:
        self._app = app
        self._settings = settings
        self._book = book
        self._limits = limits
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["path"] not in _WATCHED:
            self._limits.arrived(scope)
        self._check_host(headers)
        self._check_origin(scope["method"], headers)
        caller = self._caller(scope, headers)
        if caller is None and not _is_open(scope["path"]):
            if not _PAGES.fullmatch(scope["path"].removesuffix(".md")):
                raise HttpProblem(
                    401,
                    "This needs a valid token: Authorization: Bearer TOKEN.",
                    headers={"WWW-Authenticate": 'Bearer realm="llm-analyst"'},
                )
            await RedirectResponse("/login", 303)(scope, receive, send)
            return
        _check_address(scope)
        if caller is not None:
            self._limits.recognised(caller.name)
        if caller is not None and caller.by_cookie:
            _check_page_request(scope, headers, caller)
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    def _caller(self, scope: Scope, headers: Headers) -> Caller | None:
        if not self._book:
            client = scope.get("client")
            if client is not None and not is_loopback(client[0]):
                raise HttpProblem(403, "Without tokens this service answers this machine only.")
            return self._book.local_caller()
        authorization = headers.get("authorization")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                return None
            return self._bearer_of(scope, token.strip().encode("latin-1"))
        return self._book.caller_of_cookie(_cookie(headers), self._clock())

    def _bearer_of(self, scope: Scope, token: bytes) -> Caller | None:
        presented = hashlib.sha256(token).digest()
        self._limits.before_token(scope, presented)
        caller = self._book.caller_of(token)
        if caller is None:
            self._limits.failed(scope)
        else:
            self._limits.right_token(scope, presented)
        return caller

    def _check_host(self, headers: Headers) -> None:
        allowed = self._settings.allowed_hosts
        if len(headers.getlist("host")) > 1:
            raise HttpProblem(400, "The Host header stands twice.")
        host = _host_name(headers.get("host", ""))
        if host in allowed or is_loopback(host) or (self._book and not allowed):
            return
        raise HttpProblem(421, "This service does not answer to that host name; see server.allowed_hosts.")

    def _check_origin(self, method: str, headers: Headers) -> None:
        origin = headers.get("origin")
        if method in _SAFE_METHODS or origin in self._settings.allowed_origins:
            return
        foreign = headers.get("sec-fetch-site") == "cross-site" or (
            origin is not None and _authority(origin) != headers.get("host", "").lower()
        )
        if foreign:
            raise HttpProblem(403, "Pages of other sites may not change anything here.")


def _is_open(path: str) -> bool:
    return path in _OPEN_PATHS or path.startswith(_OPEN_PREFIXES)


def _check_page_request(scope: Scope, headers: Headers, caller: Caller) -> None:
    # Browsers name their origin in every change they send; a form carries the token in its body instead.
    is_form = _PAGES.fullmatch(scope["path"]) is not None
    if scope["method"] in _SAFE_METHODS or is_form or "origin" in headers:
        return
    check_csrf(caller, headers.get("x-csrf-token", ""))


def _check_address(scope: Scope) -> None:
    if _UNPRINTABLE.search(scope["path"]) or b"%00" in scope.get("raw_path", b""):
        raise HttpProblem(404, "There is nothing at this address.")
    try:
        pairs: Sequence[tuple[str, str]] = parse_qsl(
            scope["query_string"].decode("ascii"),
            keep_blank_values=True,
            max_num_fields=100,
            errors="strict",
        )
    except (UnicodeDecodeError, ValueError):
        raise HttpProblem(422, "The query string is not UTF-8 or has more than 100 fields.") from None
    for name, value in pairs:
        if _UNPRINTABLE.search(name) or _UNPRINTABLE.search(value):
            raise invalid(name, "contains control characters")


def _cookie(headers: Headers) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
