"""Who is calling: bearer tokens and signed sign-in cookies, with roles."""

import hashlib
import hmac
import ipaddress
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fastapi import Depends, Request
from fastapi.params import Depends as DependsMarker

from api.problem import HttpProblem
from api.settings import Role, TokenSettings
from domain.errors import ConfigurationError, Forbidden

READ: frozenset[Role] = frozenset({"viewer", "operator", "admin"})
OPERATE: frozenset[Role] = frozenset({"operator", "admin"})
INGEST: frozenset[Role] = frozenset({"ingest", "admin"})
COOKIE = "analyst_session"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. `by_cookie` callers are browsers, whose forms must carry the CSRF token."""

    name: str
    role: Role
    csrf_token: str = ""
    by_cookie: bool = False


@dataclass(frozen=True, slots=True)
class _Record:
    name: str
    role: Role
    digest: bytes


class TokenBook:
    """The configured tokens, as SHA-256 digests only; files are read again when they change."""

    def __init__(self, tokens: Sequence[TokenSettings]) -> None:
        """Raises ConfigurationError where a token cannot be read or is shorter than 16 characters."""
        self._tokens = tuple(tokens)
        self._files: dict[str, tuple[int, bytes]] = {}
        self._page_key = secrets.token_bytes(32)
        self.on_change: Callable[[str], None] = lambda _name: None
        self._fixed = {token.name: _fixed_digest(token) for token in tokens if token.file is None}
        for _ in self._records():
            pass

    def __bool__(self) -> bool:
        return bool(self._tokens)

    def caller_of(self, presented: bytes) -> Caller | None:
        """The caller with this token; takes equally long whichever token it is."""
        digest = hashlib.sha256(presented).digest()
        found: Caller | None = None
        for record in self._records():
            if hmac.compare_digest(record.digest, digest):
                found = Caller(record.name, record.role)
        return found

    def sign_in(self, presented: bytes, expires: datetime) -> str | None:
        """A cookie value for the holder of a token, or None for a wrong one."""
        caller = self.caller_of(presented)
        if caller is None:
            return None
        record = next(one for one in self._records() if one.name == caller.name)
        claim = f"{int(expires.timestamp())}.{record.name}"
        return f"{_sign(record.digest, 'session', claim)}.{claim}"

    def caller_of_cookie(self, cookie: str, now: datetime) -> Caller | None:
        """The caller that a cookie was issued to, unless it expired or the token was changed since."""
        signature, _, claim = cookie.partition(".")
        expires, _, name = claim.partition(".")
        if not expires.isascii() or not expires.isdecimal() or int(expires[:15]) < now.timestamp():
            return None
        for record in self._records():
            expected = _sign(record.digest, "session", claim)
            if record.name == name and hmac.compare_digest(expected.encode(), signature.encode()):
                return Caller(record.name, record.role, _sign(record.digest, "csrf", claim), by_cookie=True)
        return None

    def local_caller(self) -> Caller:
        """The caller on loopback where no token is configured; may do everything."""
        return Caller("local", "admin", _sign(self._page_key, "csrf", "local"))

    def _records(self) -> list[_Record]:
        return [
            _Record(token.name, token.role, self._fixed.get(token.name) or self._file_digest(token))
            for token in self._tokens
        ]

    def _file_digest(self, token: TokenSettings) -> bytes:
        path = token.file or ""
        known = self._files.get(path)
        try:
            changed = Path(path).stat().st_mtime_ns
            if known is None or known[0] != changed:
                self._files[path] = (changed, _digest(Path(path).read_bytes().strip(), path))
        except OSError as error:
            if known is None:
                raise ConfigurationError("tokens", f"{path} cannot be read: {error.strerror}") from None
        except ConfigurationError:
            # A file that is being written keeps the token that was good before.
            if known is None:
                raise
        if known is not None and known[1] != self._files[path][1]:
            self.on_change(token.name)
        return self._files[path][1]


def check_bind(host: str, *, has_tokens: bool) -> None:
    """Refuse to listen beyond this machine while everything is open; raises ConfigurationError."""
    if not has_tokens and not is_loopback(host):
        raise ConfigurationError(
            "server.host", f"is {host}, but without [[tokens]] the service binds to loopback only"
        )


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    if host in {"localhost", ""}:
        return host == "localhost"
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0]).is_loopback
    except ValueError:
        return False


def caller_of(request: Request) -> Caller:
    """The caller that the gatekeeper found."""
    caller: Caller = request.state.caller
    return caller


def allow(roles: frozenset[Role]) -> DependsMarker:
    """A dependency that lets only these roles in."""

    def check(request: Request) -> Caller:
        caller = caller_of(request)
        if caller.role not in roles:
            needed = " or ".join(sorted(roles - {"admin"}))
            raise Forbidden(f"The role {caller.role} may not do this; it takes {needed} or admin.")
        return caller

    marker: DependsMarker = Depends(check)
    return marker


def check_csrf(caller: Caller, presented: str) -> None:
    """Raise HttpProblem 403 where a form does not carry this caller's token."""
    if not hmac.compare_digest(caller.csrf_token.encode(), presented.encode("utf-8", "replace")):
        raise HttpProblem(403, "This form is out of date; reload the page and send it again.")


def _fixed_digest(token: TokenSettings) -> bytes:
    if token.sha256 is not None:
        return bytes.fromhex(token.sha256)
    value = os.environ.get(token.env or "", "").strip()
    if not value:
        raise ConfigurationError(f"tokens.{token.name}", f"the environment variable {token.env} is not set")
    return _digest(value.encode(), f"tokens.{token.name}")


def _digest(value: bytes, where: str) -> bytes:
    if len(value) < 16:
        raise ConfigurationError(where, "the token must have at least 16 characters")
    return hashlib.sha256(value).digest()


def _sign(key: bytes, purpose: str, claim: str) -> str:
    return hmac.new(key, f"{purpose}|{claim}".encode(), hashlib.sha256).hexdigest()
