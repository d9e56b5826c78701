"""What a program should not have logged is not kept; what it says stays readable."""

import pytest

from collectors.line_secrets import without_secrets


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("connect to postgresql://bot:hunter2@db/x failed", "connect to postgresql://***@db/x failed"),
        (
            "GET https://api.test/x?symbol=BTC&api_key=AKx123&limit=5",
            "GET https://api.test/x?symbol=BTC&api_key=***&limit=5",
        ),
        ("Authorization: Bearer abcdef123456 sent", "Authorization: Bearer *** sent"),
        ('{"apiKey": "k-9981", "user": "bot"}', '{"apiKey": "***", "user": "bot"}'),
        ("login with password=hunter2, retrying", "login with password=***, retrying"),
        ("signature: 9f8e7d6c expired", "signature: *** expired"),
        ("slack token xoxb-123456-abcdef refused", "slack token *** refused"),
        ("jwt eyJhbGciOiJI.eyJzdWIiOiIx.c2ln as token", "jwt *** as token"),
    ],
)
def test_secrets_are_hidden_and_the_rest_stays(line: str, kept: str) -> None:
    assert without_secrets(line) == kept


@pytest.mark.parametrize(
    "line",
    [
        "order 17 filled at 50000.5 on bybit",
        "token bucket is empty, waiting 3 s",
        "keyboard interrupt received",
        "key error in quote config section BTC",
        "password expired for user bot",
        "see https://docs.test/secrets#rotation",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert without_secrets(line) == line


def test_a_long_line_takes_no_time() -> None:
    for piece in ("://a:", "password=", "key:", "eyJaaaaa.", "bearer "):
        assert len(without_secrets(piece * 4_000)) <= 40_000
