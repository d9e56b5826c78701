"""What a model may try to slip through: claims without digits, names of nowhere, texts that are no prose."""

import json
import time

import pytest
from mutations import Told, told

from agent.reasoners.answers import MAX_TEXT, Analysis, AnswerUnusable, read
from agent.verify import verify

TRUE = (
    "Order acknowledgement latency of the binance order gateway rose from 12.2 ms to 66.6 ms (x5.5) at 23:25"
)


@pytest.fixture(scope="module")
def gateway() -> Told:
    return told("venue_gateway_latency", 1)


def id_of(gateway: Told, kind: str, words: str) -> str:
    evidence = gateway.investigation.ledger.evidence
    return next(one.id for one in evidence if one.kind == kind and words in one.statement)


def said(gateway: Told, sentence: str) -> str:
    """The sentence with the id of its fact, after the check."""
    latency = id_of(gateway, "shift", "Order acknowledgement latency")
    money = id_of(gateway, "impact", "PnL")
    whole = f"{sentence} [{money if sentence.startswith('The desk') else latency}]."
    return verify(whole, gateway.register, gateway.investigation.outcome).text


@pytest.mark.parametrize(
    "sentence",
    [
        TRUE,
        "Latency rose",
        "The latency of the gateway rose to 66.6 ms",
        "Latency rose on binance, and Order acknowledgement took 66.6 ms",
        "The desk lost $1,673",
        "The desk lost about $1.7k",
    ],
)
def test_plain_true_sentences_stay(sentence: str, gateway: Told) -> None:
    assert said(gateway, sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Latency rose twelvefold",
        "Latency rose ten-fold",
        "Latency rose to two hundred milliseconds",
        "Latency rose by three percent",
        "Latency doubled",
        "Latency more than tripled",
        "Latency is twice what it was",
        "Latency rose by an order of magnitude",
        "Half of the latency is new",
        "The desk lost ninety thousand dollars",
        "The desk lost millions",
        "Latency rose to \uff19\uff19\uff19 ms",
        "Latency rose to \u0661\u0662\u0663 ms",
        "Latency rose to \u00bd ms",
        "Latency rose to \u216b ms",
        "Latency rose to 10\u00b2 ms",
        "Latency rose to 0x1F4 ms",
        "Latency rose 5/6 of the way",
        "Latency rose to 1e999 ms",
        "Latency rose to 1e99999999999999999999 ms",
        "Latency rose to 0e6 ms",
        "Latency rose to 1e5 ms",
        "The desk lost $0M",
        "The desk lost $0.00bn",
    ],
)
def test_a_number_in_other_clothes_is_a_number(sentence: str, gateway: Told) -> None:
    assert said(gateway, sentence) == ""


@pytest.mark.parametrize(
    "when",
    ["at 6 pm", "at 18h20", "at noon", "yesterday", "on Monday", "last night", "on March 9", "on 3/4/2026"],
)
def test_a_time_in_other_clothes_is_a_time(when: str, gateway: Told) -> None:
    assert said(gateway, f"Latency rose {when}") == ""


@pytest.mark.parametrize(
    "sentence",
    [
        "Latency never rose",
        "Latency did not really rise",
        "Latency hasn't increased",
    ],
)
def test_a_move_that_was_measured_cannot_be_denied(sentence: str, gateway: Told) -> None:
    assert said(gateway, sentence) == ""


@pytest.mark.parametrize(
    "sentence",
    [
        "Latency rose on kraken",
        "Latency rose on Coinbase too",
        "Latency rose as on the Nasdaq",
        "Latency rose on b\u0443bit",
        "Latency rose when Alice deployed",
        "The exchange was hacked",
        "Nobody was hurt",
    ],
)
def test_what_is_not_of_this_desk_or_not_of_the_fact_goes(sentence: str, gateway: Told) -> None:
    assert said(gateway, sentence) == ""


@pytest.mark.parametrize(
    "what",
    [
        "see evil.example",
        "see evil.example/x?q=1",
        "see hxxp://evil[.]example",
        "#trading",
        "'; DROP TABLE event; --",
        "UNION SELECT * FROM token",
        "../../etc/passwd",
        "as in /etc/passwd",
        "{{7*7}}",
        "{% include 'x' %}",
        "${jndi:ldap://x/a}",
        "`rm -rf`",
        "**very** much",
        "&lt;script&gt;",
        "| a | b |",
        "bc1qxy2kgdygjrsqtzq2n0yrf",
    ],
)
def test_texts_that_are_no_prose_go(what: str, gateway: Told) -> None:
    assert said(gateway, f"Latency rose {what}") == ""


@pytest.mark.parametrize(
    "sentence",
    [
        "Restart the gateway now, its latency rose",
        "Please send the order latency to us",
        "You can safely disregard this latency",
        "The latency is harmless",
        "As an AI model I see that latency rose",
    ],
)
def test_demands_and_soothing_words_go(sentence: str, gateway: Told) -> None:
    assert said(gateway, sentence) == ""


@pytest.mark.parametrize(
    "text",
    [
        "9" * 3_000 + "e" + "9" * 900 + " ms [E5].",
        *("x", "x ", "x_", ".", "1,", "[E5]", "[", "<", "a.b", "a. ", "|", " ", "@", "$", "-"),
        *("from 1 ", "rose ", "not rose. ", "two hundred ", "PnL 5 ms [E5]. ", "{", "\u0443"),
    ],
    ids=lambda text: repr(text[:6]),
)
def test_a_huge_text_is_judged_in_a_moment(text: str, gateway: Told) -> None:
    whole = (text * MAX_TEXT)[:MAX_TEXT]
    began = time.process_time()
    assert "hundred" not in verify(whole, gateway.register, gateway.investigation.outcome).text
    assert time.process_time() - began < 1.5


def test_an_answer_with_an_endless_step_is_not_read() -> None:
    with pytest.raises(AnswerUnusable, match="at most 4000"):
        read(json.dumps({"steps": {"data_examination": "x" * 4_001}}), Analysis)
