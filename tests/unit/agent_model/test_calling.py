"""The door to a model: what failures mean, when it is left alone, what it may cost, how long prompts are."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import told
from pydantic import BaseModel

from agent.model.breaker import Breaker
from agent.model.call_log import Call, Limits, MemoryCallLog
from agent.model.failures import of_status, retry_after
from agent.model.outcomes import ModelFailure, TokenUse
from agent.model.prices import Prices
from agent.model.redaction import cleaned, redacted
from agent.model.settings import LlmSettings, ModelPrice
from agent.model.tokens import count_tokens
from agent.reasoners.answers import Alternatives, Analysis, AnswerUnusable, Summary, read
from agent.reasoners.questions import MAX_PROMPT_TOKENS, Asking, Example, Extras, ask, family_of, tokens_of
from prompts.template import names, render, version

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRICE = ModelPrice(input=1.0, cached_input=0.1, output=4.0)
LONG = "A message that the summary of an earlier case may well be as long as, or longer still. " * 20


def _now() -> datetime:
    return NOW


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, 0.0),
        ({}, None),
    ],
)
def test_an_endpoint_may_ask_to_wait_in_seconds_milliseconds_or_by_date(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers, _now) == seconds


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (429, '{"error": {"code": "insufficient_quota"}}', "quota"),
        (429, "{}", "rate_limited"),
        (401, "not JSON", "unauthorised"),
        (404, '{"error": "no"}', "unknown_model"),
        (400, '{"error": {"code": "context_length_exceeded"}}', "too_long"),
        (400, '{"error": {"message": "response_format is not supported"}}', "unsupported"),
        (400, '{"error": {"message": "no idea"}}', "rejected"),
        (307, "", "redirected"),
        (529, "[]", "server_error"),
    ],
)
def test_a_status_with_its_body_is_one_of_few_outcomes(status: int, body: str, outcome: str) -> None:
    assert of_status(status, {}, body, _now).outcome == outcome


def test_the_words_of_an_error_are_not_passed_on() -> None:
    failure = of_status(401, {}, '{"error": {"code": "x y", "message": "key sk-1 is wrong"}}', _now)
    assert "sk-1" not in str(failure)
    assert "x y" not in str(failure)


class _Time:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_a_breaker_opens_tries_once_and_trusts_again() -> None:
    clock = _Time()
    breaker = Breaker(clock, lambda: 0.0)
    for _ in range(3):
        breaker.admit()
        breaker.failed(ModelFailure("server_error"))
    with pytest.raises(ModelFailure, match="left alone"):
        breaker.admit()
    clock.at += breaker.waits() + 0.1
    breaker.admit()
    # While one call tries, no other one does.
    with pytest.raises(ModelFailure):
        breaker.admit()
    breaker.failed(ModelFailure("server_error"))
    longer = breaker.waits()
    assert longer > 40
    clock.at += longer + 0.1
    breaker.admit()
    breaker.succeeded()
    breaker.admit()
    breaker.admit()


def test_what_cannot_get_better_by_itself_opens_the_breaker_at_once() -> None:
    breaker = Breaker(_Time(), lambda: 0.0)
    breaker.failed(ModelFailure("unauthorised", "HTTP 401"))
    with pytest.raises(ModelFailure, match="HTTP 401"):
        breaker.admit()


def test_our_own_mistakes_say_nothing_about_the_endpoint() -> None:
    breaker = Breaker(_Time(), lambda: 0.0)
    for _ in range(10):
        breaker.failed(ModelFailure("too_long"))
    breaker.admit()


def test_a_price_that_is_not_known_makes_the_cost_unknown_but_not_the_budget() -> None:
    prices = Prices({"a": PRICE}, ModelPrice(input=5, output=20))
    assert prices.cost("a", TokenUse(1_000_000, 1_000_000, 500_000)) == pytest.approx(0.5 + 0.05 + 4.0)
    assert prices.cost("a", None) is None
    assert prices.cost("b", TokenUse(1, 1)) is None
    assert prices.upper_bound("b", 1_000_000, 1_000_000) == 25.0


def _limits(**more: float | None) -> Limits:
    values = {"per_day": None, "per_subject": None, **more}
    return Limits(0.01, values["per_day"], values["per_subject"], 8, PRICE)


def _call(subject: str = "D-1", at: datetime = NOW) -> Call:
    return Call(at, "m", subject, "p", "{}", 100)


def test_a_ninth_call_is_refused_and_so_is_one_beyond_a_budget() -> None:
    log = MemoryCallLog()
    for _ in range(8):
        log.reserve(_call(), _limits())
    with pytest.raises(ModelFailure, match="8 calls"):
        log.reserve(_call(), _limits())
    with pytest.raises(ModelFailure, match="per day"):
        log.reserve(_call("D-2"), _limits(per_day=0.08))
    log.reserve(_call("D-2", NOW + timedelta(days=1)), _limits(per_day=0.08))
    with pytest.raises(ModelFailure, match="USD for one"):
        log.reserve(_call("D-2"), _limits(per_subject=0.015))


@given(st.text(max_size=400))
def test_tokens_are_never_fewer_than_a_quarter_of_the_letters_of_words(text: str) -> None:
    letters = sum(one.isascii() and one.isalnum() for one in text)
    assert count_tokens(text) >= letters / 6
    assert count_tokens(text + " word") > count_tokens(text)


def test_keys_are_masked_and_invisible_characters_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENUE_SECRET", "very-secret-value")
    text = "a very-secret-value b sk-abcdefghijklmnopqrstu c postgres://user:pass@host/db"
    assert redacted(text) == "a [redacted] b [redacted] c postgres://[redacted]@host/db"
    assert cleaned("a\u202eb\x00c\u200bd\ne") == "abcd\ne"


@pytest.mark.parametrize(
    "kind", ["venue_gateway_latency", "flash_crash", "volatility_regime_shift", "bad_deploy"]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_prompt_stays_within_four_thousand_tokens_and_says_what_was_cut(kind: str, seed: int) -> None:
    one = told(kind, seed).investigation
    longer = tuple(
        fact.model_copy(update={"quoted": LONG, "statement": (fact.statement + LONG)[:390]})
        for fact in one.ledger.evidence
    )
    crowded = one.model_copy(update={"ledger": one.ledger.model_copy(update={"evidence": longer * 3})})
    asking = Asking("data-0123456789ab", [Example("D-9", "bad_deploy", "strategy:x", LONG)] * 5)
    shapes: dict[str, type[BaseModel]] = {"summary": Summary, "alternatives": Alternatives}
    for investigation in (one, crowded):
        for name in (family_of(one), "repair", "alternatives", "summary"):
            extras = Extras(
                tools=name not in shapes,
                errors=[LONG[:200]] * 3,
                problems=[LONG[:360]] * 12,
                conclusion=LONG[:600],
                shape="{}",
            )
            question, cut = ask(name, shapes.get(name, Analysis), investigation, asking, extras)
            assert tokens_of(question) <= MAX_PROMPT_TOKENS
            if cut:
                assert f"Left out for space, least telling first: {cut[0]}" in question.messages[1]["content"]
    assert (
        not ask(family_of(one), Analysis, one, asking, Extras(tools=True))[1] or len(one.ledger.evidence) > 25
    )


def test_the_name_of_a_prompt_carries_the_hash_of_its_content() -> None:
    assert len({version(name) for name in names()}) == len(names()) >= 11
    with pytest.raises(Exception, match="undefined"):
        render("summary", mark="x")


@pytest.mark.parametrize(
    "text", ["", "null", "[1]", "{", '{"summary": ""}', '{"summary": 3}', "{" * 50_000, '{"summary": NaN}']
)
def test_an_answer_that_cannot_be_read_is_an_error_of_ours(text: str) -> None:
    with pytest.raises(AnswerUnusable):
        read(text, Summary)


def test_an_answer_may_stand_in_a_fence_or_between_words() -> None:
    for text in (
        '```json\n{"summary": "x"}\n```',
        'Sure!\n{"summary": "x"}\nDone.',
        '{"summary": "x", "more": 1}',
    ):
        assert read(text, Summary).summary == "x"


def test_settings_of_a_model_say_what_each_is_for() -> None:
    described: Callable[[str], str | None] = lambda name: LlmSettings.model_fields[name].description  # noqa: E731
    assert all(described(name) for name in LlmSettings.model_fields)
