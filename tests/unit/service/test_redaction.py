"""No secret reaches a log line, whoever wrote it and however it is quoted."""

import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import ConfigurationError
from service.logs import configure_logs
from service.model_address import checked_base_url
from service.redaction import HIDDEN, Redactor, redactor_of
from service.settings import settings_from

SECRET = "s3cret/of the+desk"


@settings(deadline=None)
@given(st.text(min_size=6, max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_a_known_secret_is_gone_in_every_quoting(secret: str, before: str, after: str) -> None:
    redact = Redactor((secret,))
    for form in (secret, quote(secret, safe="", errors="replace")):
        assert form not in redact(f"{before}{form}{after}") or form in HIDDEN * 20


@pytest.mark.parametrize(
    "line",
    [
        "GET failed: Authorization: Bearer abcdef0123456789",
        "cannot connect to postgresql://analyst:hunter2hunter2@db/analyst",
        "token xoxb-123456789012-abcdefABCDEF",
        "POST https://hooks.slack.com/services/T000/B000/XXXXXXXXXXXX",
        "key sk-proj-abcdefghijklmnop",
        "whsec_MIGfMA0GCSqGSIb3DQEBAQ",
    ],
)
def test_what_looks_like_a_secret_is_hidden_although_nobody_told_us(line: str) -> None:
    shown = Redactor()(line)
    assert HIDDEN in shown
    for word in ("abcdef0123456789", "hunter2", "abcdefABCDEF", "XXXXXXXXXXXX", "abcdefghij", "MIGfMA0"):
        assert word not in shown


@pytest.mark.parametrize("line", ["pnl fell by 3.2%", "2026-03-01T06:10:00Z", "I-1 on bybit: 9 ms to 118 ms"])
def test_ordinary_lines_stay_as_they_are(line: str) -> None:
    assert Redactor(("unrelated-secret",))(line) == line


def test_the_secrets_of_a_configuration_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("token-in-a-file-0123\nand-an-older-one-4567\n")
    monkeypatch.setenv("ANALYST_LLM__API_KEY", "llm-key-0123456789")
    environ = {
        "PROM_AUTH": "source-bearer-0123",
        "MY_PASSWORD": "environment-password",
        "HARMLESS": "visible",
    }
    settings = settings_from(
        {
            "database": {"url": "postgresql://analyst:database-password@db/analyst"},
            "tokens": [{"name": "a", "role": "viewer", "file": str(tmp_path / "token")}],
            "sources": [
                {
                    "name": "p",
                    "kind": "prometheus",
                    "url": "http://prometheus",
                    "queries": [{"query": "up"}],
                    "bearer_token_env": "PROM_AUTH",
                }
            ],
        }
    )
    redact = redactor_of(settings, environ)
    for secret in (
        "token-in-a-file-0123",
        "and-an-older-one-4567",
        "llm-key-0123456789",
        "source-bearer-0123",
        "environment-password",
        "database-password",
    ):
        assert redact(f"x {secret} y") == f"x {HIDDEN} y"
    assert redact("visible") == "visible"


def test_log_lines_of_ours_and_of_libraries_are_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    handlers, level = logging.root.handlers[:], logging.root.level
    try:
        configure_logs(Redactor((SECRET,)))
        log: Any = structlog.get_logger()
        log.info("asked", url=f"http://x/?key={quote(SECRET, safe='')}", nested={"a": [SECRET]})
        try:
            int(SECRET)
        except ValueError as error:
            log.exception("failed", error=error)
            logging.getLogger("library").exception("failed with %s", SECRET)
        printed = capsys.readouterr().err
    finally:
        structlog.configure(**before)
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
    assert "asked" in printed
    assert "Traceback" in printed
    assert SECRET not in printed
    assert quote(SECRET, safe="") not in printed


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/v1",
        "http://[fd00:ec2::254]/v1",
        "http://0.0.0.0/v1",
        "http://[::ffff:169.254.169.254]/v1",
        "http://2852039166/v1",
        "http://0xa9fea9fe/v1",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://user:password@host/v1",
        "http://",
        "http://[::1",
        "no url",
    ],
)
def test_a_model_is_never_asked_at_a_metadata_service(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"llm\.base_url"):
        checked_base_url(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:11434/v1", "http://10.0.0.5/v1", "https://no.such.invalid/v1", None]
)
def test_a_model_may_run_nearby(url: str | None) -> None:
    assert checked_base_url(url) == url
