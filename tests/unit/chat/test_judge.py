"""The judge of answers: it takes a right one, and notices one number, name or source that is not."""

from hypothesis import given
from hypothesis import strategies as st

from evaluation.questions.judge import Expected, faults

TEXT = "PnL of mm_btc from 00:00 to 12:05 UTC: -$41,235. The peak was 372.1 ms at 11:35 [I-3]."
CITED = [("incident", "I-3")]
RIGHT = Expected(numbers=(-41_234.9, 372.13), words=("mm_btc|mm btc", "[I-3]"), cites=("incident",))


def test_a_right_answer_has_no_fault() -> None:
    assert faults(TEXT, CITED, RIGHT) == []


@given(st.sampled_from([10.0, 0.1, -1.0, 1.02, 0.97]), st.integers(0, 1))
def test_one_changed_number_is_noticed(factor: float, which: int) -> None:
    numbers = list(RIGHT.numbers)
    numbers[which] *= factor
    assert faults(TEXT, CITED, Expected(numbers=numbers))


def test_a_missing_word_a_missing_source_and_an_unverified_number_are_noticed() -> None:
    assert faults(TEXT, CITED, Expected(words=("arb_cross",)))
    assert faults(TEXT, [], RIGHT) == ["cites no incident"]
    assert faults(f"{TEXT} 7 (unverified)", CITED, RIGHT)
    assert faults(TEXT, CITED, Expected(refused=True))
