"""What a model may say: true sentences stay, sentences with one false thing go."""

import random
from collections import Counter

import pytest
from mutations import KINDS, Told, diagnoses, mutated, told

from agent.claims import segments, sentences, tokens
from agent.verify import check_sentence, verify


@pytest.fixture(scope="module", params=[36, pytest.param(216, marks=pytest.mark.endurance)])
def desk(request: pytest.FixtureRequest) -> list[Told]:
    """Diagnoses of incidents of every kind; the figures of the documentation are those of the many."""
    return list(diagnoses(request.param))


def test_one_false_thing_in_a_diagnosis_is_caught_99_times_of_100(desk: list[Told]) -> None:
    dice = random.Random(11)
    tried: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    missed = []
    for one in desk:
        for kind in KINDS:
            pool = one.cited_sentences
            dice.shuffle(pool)
            false = next((text for s in pool if (text := mutated(s, kind, one, dice)) is not None), None)
            if false is None:
                continue
            tried[kind] += 1
            if check_sentence(false, one.register, one.investigation.outcome).failed:
                caught[kind] += 1
            else:
                missed.append((kind, false))
    print({kind: f"{caught[kind]}/{tried[kind]}" for kind in KINDS}, missed)  # noqa: T201 -- the figures
    assert sum(caught.values()) >= 0.99 * sum(tried.values()), missed[:10]
    for kind in KINDS:
        assert tried[kind] >= len(desk) // 2, kind
        # Of a few dozen one miss is already more than two in a hundred.
        assert caught[kind] >= min(0.98 * tried[kind], tried[kind] - 1), (kind, missed[:10])


def test_at_most_one_true_sentence_in_a_hundred_is_rejected(desk: list[Told]) -> None:
    total = 0
    rejected = []
    for one in desk:
        for sentence in one.cited_sentences:
            total += 1
            tally = check_sentence(sentence, one.register, one.investigation.outcome)
            if tally.failed:
                rejected.append((sentence, tally.failed))
    print(f"{len(rejected)} of {total} true sentences rejected")  # noqa: T201 -- the figures
    assert len(rejected) <= 0.01 * total, rejected[:5]


@pytest.fixture(scope="module")
def gateway() -> Told:
    return told("venue_gateway_latency", 2)


def _fact(one: Told, kind: str, component: str = "") -> tuple[str, str]:
    fact = next(
        fact
        for fact in one.investigation.ledger.evidence
        if fact.kind == kind and (not component or fact.component == component)
    )
    return fact.id, fact.statement


@pytest.mark.parametrize(
    "sentence",
    [
        "This is a false alarm [{id}].",
        "There is no fault on the binance order gateway [{id}].",
        "The severity is low [{id}].",
        "See https://example.com for the binance order gateway [{id}].",
        "<b>The binance order gateway</b> was slow [{id}].",
        "@channel the binance order gateway was slow [{id}].",
        "Ignore this incident on the binance order gateway [{id}].",
        "The cause is moon_phase on the binance order gateway [{id}].",
        "The gateway:kraken was slow [{id}].",
        'Latency of order_ack_latency_ms{{venue="kraken"}} rose [{id}].',
        "The binance order gateway was slow [E999].",
        "The binance order gateway slowed before strategy maker lost money [{id}].",
        "Acknowledgement latency on the binance order gateway fell [{id}].",
        "Latency on the binance order gateway reached 4711 ms [{id}].",
        "The moon is full.",
        "It is what it is [E1] and 42 people saw it.",
    ],
)
def test_what_no_fact_bears_out_is_removed(gateway: Told, sentence: str) -> None:
    identifier, _ = _fact(gateway, "shift", "gateway:binance")
    text = sentence.format(id=identifier)
    checked = verify(text, gateway.register, gateway.investigation.outcome)
    assert checked.text == "", text
    assert checked.failed >= 1


def test_a_paraphrase_with_the_numbers_of_its_fact_stays(gateway: Told) -> None:
    identifier, _ = _fact(gateway, "shift", "gateway:binance")
    fact = gateway.investigation.ledger.fact(identifier)
    assert fact is not None
    assert fact.value is not None
    assert fact.baseline is not None
    now, usual = f"{fact.value:.1f} ms", f"{fact.baseline:.1f} ms"
    text = f"Acknowledgements on the binance order gateway rose to {now}, from {usual} [{identifier}]."
    checked = verify(text, gateway.register, "cause_found")
    assert checked.text == text
    assert checked.cited == (identifier,)
    counts = checked.counts()
    assert counts.claims == counts.verified > 3
    assert counts.removed == 0


@pytest.mark.parametrize(
    "sentence",
    [
        "Order latency on binance rose {times:.1f}x [{id}].",
        "Order acknowledgements through binance slowed to {now:.0f} ms from the usual {usual:.0f} ms [{id}].",
        "Latency increased by {change:.0f}% [{id}].",
        "The binance order gateway is the likely root cause, {sigma:.0f} sigma off its habits [{id}].",
        "venue_gateway_latency on gateway:binance fits best [{id}].",
        "Slow answers on binance [{id}] hurt strategy maker, which lost about ${loss:.0f} [{impact}].",
        "This cost ${loss:.0f} so far [{impact}].",
    ],
)
def test_a_traders_words_stay(gateway: Told, sentence: str) -> None:
    identifier, _ = _fact(gateway, "shift", "gateway:binance")
    fact = gateway.investigation.ledger.fact(identifier)
    impact = gateway.investigation.ledger.impact
    assert fact is not None
    assert fact.value is not None
    assert fact.baseline
    assert impact is not None
    text = sentence.format(
        id=identifier,
        impact=_fact(gateway, "impact")[0],
        now=fact.value,
        usual=fact.baseline,
        times=fact.value / fact.baseline,
        change=(fact.value / fact.baseline - 1) * 100,
        sigma=abs(fact.effect_size or 0),
        loss=-impact.amount,
    )
    assert check_sentence(text, gateway.register, "cause_found").failed == []


def test_only_the_false_sentence_goes(gateway: Told) -> None:
    identifier, statement = _fact(gateway, "shift", "gateway:binance")
    checked = verify(
        f"{statement} [{identifier}] It cost $1,000,000,007 [{identifier}].", gateway.register, None
    )
    assert checked.text == f"{statement} [{identifier}]"
    assert [problem.sentence for problem in checked.problems] == [f"It cost $1,000,000,007 [{identifier}]."]


def test_sentences_keep_the_citations_behind_their_full_stop() -> None:
    assert sentences("A rose to 1.5 ms. [E1] B fell by 3%. [E2, E3] C?") == [
        "A rose to 1.5 ms. [E1]",
        "B fell by 3%. [E2, E3]",
        "C?",
    ]
    assert [one.cited for one in segments("A rose [E1] while B fell [E2, E3], E4 too")] == [
        ("E1",),
        ("E2", "E3"),
        ("E4", "E2", "E3"),
    ]


def test_numbers_are_read_with_unit_sign_and_precision() -> None:
    found = list(
        tokens("-$1,234.5 or +3.20% within 3 h 10 min, x12, 5 min, 118 ms, 1.2e-05, 14:05, 2026-03-01")
    )
    assert [(one.dimension, one.value) for one in found] == [
        ("money", -1234.5),
        ("percent", 3.2),
        ("duration", 11_400.0),
        ("multiple", 12.0),
        ("duration", 300.0),
        ("number", 118.0),
        ("number", 1.2e-05),
        ("time", 845.0),
        ("date", 0.0),
    ]
    assert found[5].unit == "ms"
    assert found[1].ulp == 0.01
