"""Templates mined from messages."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.drain import TemplateMiner, mask


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("order 12345 filled", "order <*> filled"),
        ("took 1.25 ms, -3 %", "took <*> ms, <*> %"),
        ("from 10.0.0.1:8080 id 0xdeadbeef", "from <*> id <*>"),
        ("id 550e8400-e29b-41d4-a716-446655440000 done", "id <*> done"),
        ("order 3f2a9c01 sent", "order <*> sent"),
        ("decade facade stay words", "decade facade stay words"),
        ("host db2 keeps its name", "host db2 keeps its name"),
    ],
)
def test_what_varies_is_masked(message: str, masked: str) -> None:
    assert mask(message) == masked


def test_messages_of_one_shape_share_a_template() -> None:
    miner = TemplateMiner()
    found = {
        miner.add(f"sequence gap on {symbol}, {n} updates")[0].id
        for n in range(9)
        for symbol in ("BTC", "ETH")
    }
    assert len(found) == 1
    (template,) = found
    shape = miner.get(template)
    assert shape is not None
    assert shape.text == "sequence gap on <*> <*> updates"
    assert shape.count == 18


def test_messages_of_other_shapes_do_not() -> None:
    miner = TemplateMiner()
    messages = ["connected to venue", "order 1 rejected: insufficient margin", "gc pause 12 ms", "connected"]
    assert [miner.add(message)[1] for message in messages] == [True] * 4
    assert [miner.add(message)[1] for message in messages] == [False] * 4


def test_the_known_templates_survive_a_restart() -> None:
    miner = TemplateMiner()
    miner.add("order 1 filled at venue bybit")
    again = TemplateMiner.of_json(json.loads(json.dumps(miner.as_json())))
    template, is_new = again.add("order 2 filled at venue okx")
    assert (template.id, is_new, template.count) == (1, False, 2)
    assert again.add("something else entirely")[0].id == 2


def test_names_in_the_second_place_do_not_make_a_template_each() -> None:
    miner = TemplateMiner()
    rng = random.Random(3)
    for _ in range(500):
        miner.add(f"user {''.join(rng.choices('abcdefgh', k=8))} logged in from abroad")
    assert len(miner) < 60


def test_memory_is_bounded_and_the_frequent_templates_stay() -> None:
    miner = TemplateMiner(max_templates=50)
    rng = random.Random(1)
    for _ in range(100):
        miner.add("a frequent message here")
    for _ in range(2_000):
        miner.add(" ".join("".join(rng.choices("abcdefgh", k=8)) for _ in range(rng.randint(1, 9))))
    assert len(miner) <= 50
    assert not miner.add("a frequent message here")[1]


@given(st.lists(st.text(max_size=60), max_size=30))
def test_a_message_seen_twice_is_never_new(messages: list[str]) -> None:
    miner = TemplateMiner()
    for message in messages:
        first, _ = miner.add(message)
        second, is_new = miner.add(message)
        assert not is_new
        assert first is second
