"""Values read as a person reads them, and foreign text stays text."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dashboard import fmt
from domain.money import Impact

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUS = "\N{MINUS SIGN}"


def test_money_has_a_sign_and_a_unit() -> None:
    assert fmt.money(Impact(amount=-41_200.4, low=-50_000, high=-30_000)) == f"{MINUS}$41,200"
    assert fmt.money(Impact(amount=1.25, low=0, high=2, unit="BTC")) == "+1.25 BTC"
    assert fmt.money(None) == fmt.MISSING
    assert fmt.amount(-1e-12, "USD") == "$0.00"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, fmt.MISSING),
        (float("nan"), fmt.MISSING),
        (0.0, "0"),
        (-0.5, f"{MINUS}0.5"),
        (1234.5, "1,234"),
        (123_456.0, "123.5k"),
        (-45_600_000.0, f"{MINUS}45.6M"),
        (float("inf"), "\N{INFINITY}"),
    ],
)
def test_a_number_has_four_digits(value: float | None, text: str) -> None:
    assert fmt.number(value) == text


def test_small_shares_are_not_called_zero() -> None:
    assert fmt.percent(0.82).startswith("82")
    assert fmt.percent(0.001).startswith("<1")
    assert fmt.percent(0.0).startswith("0")
    assert fmt.percent(0.998).startswith(">99")
    assert fmt.percent(1.0).startswith("100")


def test_an_age_is_never_negative() -> None:
    assert fmt.age(NOW + timedelta(hours=1), NOW).startswith("0")
    assert fmt.age(NOW - timedelta(minutes=14), NOW).startswith("14")


@given(st.text())
def test_no_text_becomes_markup_of_its_own(text: str) -> None:
    html = str(fmt.rich_text(text, ["E1"]))
    for tag in ("<p>", "</p>", "<br>", "<ul>", "</ul>", "<li>", "</li>", "<code>", "</code>", "<strong>"):
        html = html.replace(tag, "")
    html = html.replace("</strong>", "").replace('<a class="chip" href="#E1">E1</a>', "")
    assert "<" not in html
    assert ">" not in html


def test_only_known_evidence_becomes_a_link() -> None:
    html = str(fmt.rich_text("**Late** `x<y` because of E1, not E2 or [a](javascript:b)", ["E1"]))
    assert '<a class="chip" href="#E1">E1</a>' in html
    assert "#E2" not in html
    assert str(fmt.rich_text("Late [E1].", ["E1"])) == '<p>Late <a class="chip" href="#E1">E1</a>.</p>'
    assert "[E1, E9]" in re.sub(r"<[^>]+>", "", str(fmt.rich_text("Late [E1, E9]", ["E1"])))


@pytest.mark.parametrize(
    ("name", "shown"),
    [('pnl{strategy="a",venue="b"}', "pnl{a,b}"), ("pnl", "pnl"), ("a{b", "a{b"), ('x{y="<b>"}', "x{<b>}")],
)
def test_a_series_is_named_by_its_metric_and_label_values(name: str, shown: str) -> None:
    assert fmt.series_name(name) == shown


def test_markup_of_others_stays_text() -> None:
    html = str(fmt.rich_text("**Late** `x<y` because of E1, not E2 or [a](javascript:b)", ["E1"]))
    assert "<strong>Late</strong>" in html
    assert "x&lt;y" in html
    assert 'href="javascript' not in html
