"""Tokens are known by their digests, cookies are signed, roles are kept."""

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.auth import TokenBook, check_bind, check_csrf, is_loopback
from api.problem import HttpProblem
from api.settings import TokenSettings
from domain.errors import ConfigurationError

TOKEN = b"a-token-of-good-length"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _book(token: bytes = TOKEN) -> TokenBook:
    return TokenBook([TokenSettings(name="ann", role="viewer", sha256=hashlib.sha256(token).hexdigest())])


def test_the_right_token_names_its_caller_and_a_wrong_one_nobody() -> None:
    caller = _book().caller_of(TOKEN)
    assert caller is not None
    assert (caller.name, caller.role) == ("ann", "viewer")
    for wrong in (b"", TOKEN[:-1], TOKEN + b"x", "tökén".encode(), b"x" * 50_000):
        assert _book().caller_of(wrong) is None


def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(TOKEN + b"\n")
    book = TokenBook([TokenSettings(name="bot", role="ingest", file=str(path))])
    assert book.caller_of(TOKEN) is not None
    path.write_bytes(b"another-token-of-length")
    os.utime(path, ns=(1, 1))
    assert book.caller_of(TOKEN) is None
    assert book.caller_of(b"another-token-of-length") is not None


def test_a_cookie_is_good_until_it_expires_or_the_token_changes() -> None:
    cookie = _book().sign_in(TOKEN, NOW + timedelta(hours=1))
    assert cookie is not None
    caller = _book().caller_of_cookie(cookie, NOW)
    assert caller is not None
    assert caller.by_cookie
    assert _book().caller_of_cookie(cookie, NOW + timedelta(hours=2)) is None
    assert _book(b"the-rotated-new-token").caller_of_cookie(cookie, NOW) is None
    assert _book().sign_in(b"wrong", NOW) is None


@pytest.mark.parametrize(
    "cookie", ["", ".", "..", "x.99999999999.ann", "x.9e9.ann", "x.\u0661.ann", "a" * 9_999]
)
def test_a_forged_cookie_is_nobody(cookie: str) -> None:
    assert _book().caller_of_cookie(cookie, NOW) is None


def test_a_form_without_its_callers_token_is_refused() -> None:
    caller = _book().local_caller()
    check_csrf(caller, caller.csrf_token)
    for wrong in ("", "x", "\u00fc"):
        with pytest.raises(HttpProblem, match="out of date"):
            check_csrf(caller, wrong)


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "a", "role": "root", "env": "X"},
        {"name": "a", "role": "viewer"},
        {"name": "a", "role": "viewer", "env": "X", "file": "y"},
        {"name": "a", "role": "viewer", "sha256": "not hex"},
    ],
)
def test_a_token_comes_from_one_place_with_a_known_role(settings: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        TokenSettings.model_validate(settings)


def test_a_token_that_cannot_be_read_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT_TOKEN", "short")
    for source in ({"env": "NO_SUCH_VARIABLE"}, {"env": "SHORT_TOKEN"}, {"file": str(tmp_path / "none")}):
        with pytest.raises(ConfigurationError):
            TokenBook([TokenSettings.model_validate({"name": "a", "role": "viewer", **source})])


def test_without_tokens_the_service_binds_to_loopback_only() -> None:
    check_bind("127.0.0.1", has_tokens=False)
    check_bind("::1", has_tokens=False)
    check_bind("0.0.0.0", has_tokens=True)
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.com", ""):
        with pytest.raises(ConfigurationError, match="loopback"):
            check_bind(host, has_tokens=False)


@pytest.mark.parametrize("host", ["localhost.evil.com", "127.0.0.1.evil.com", "2130706433", "0x7f000001"])
def test_a_name_that_only_looks_like_loopback_is_not(host: str) -> None:
    assert not is_loopback(host)
