"""The catalogue of causes is complete, consistent, and can be overridden file by file."""

import re
from pathlib import Path

import pytest

from agent.runbooks import checked_runbooks
from agent.vocabulary import KINDS
from domain.errors import ConfigurationError
from prompts.runbook import BUILT_IN, lint_runbooks, load_runbooks, parse_runbook


def test_the_built_in_runbooks_pass_the_lint() -> None:
    runbooks = load_runbooks()
    assert len(runbooks) >= 32
    assert lint_runbooks(runbooks, KINDS) == []


NAMED = [
    "venue_gateway_latency",
    "venue_outage",
    "rate_limiting",
    "stale_feed",
    "market_data_gap",
    "clock_drift",
    "funding_shock",
    "volatility_regime_shift",
    "liquidity_drain",
    "spread_widening",
    "liquidation_cascade",
    "flash_crash",
    "correlation_breakdown",
    "adverse_selection",
    "pump_and_dump",
    "stablecoin_depeg",
    "news_shock",
    "fee_change",
    "position_limit",
    "fat_finger",
    "hedge_failure",
    "strategy_drift",
    "silent_strategy",
    "bad_deploy",
    "connection_pool_exhaustion",
    "memory_leak",
    "cpu_saturation",
    "disk_full",
    "network_loss",
    "queue_backlog",
    "gc_pauses",
    "dependency_outage",
]


@pytest.mark.parametrize("key", NAMED)
def test_every_cause_says_how_it_shows_what_tells_it_apart_and_what_to_do(key: str) -> None:
    one = next(one for one in load_runbooks() if one.key == key)
    assert any(sign.weight >= 2 for sign in one.signature) or (one.logs and one.events)
    assert any(sign.direction != "any" or sign.state != "any" for sign in one.signature)
    assert one.components
    assert one.order
    assert one.checks
    assert one.logs or one.events or set(one.components) & {"market", "strategy", "pair"}
    for action in (*one.immediate, *one.preventive, *one.monitoring):
        assert action.owner
        assert isinstance(action.reversible, bool)
    assert len(one.description.split()) >= 12


def test_a_report_announces_a_cause_by_its_words_alone(tmp_path: Path) -> None:
    text = (BUILT_IN / "stale_feed.md").read_text(encoding="utf-8")
    (tmp_path / "x.md").write_text(re.sub(r"event_words:\n- .*\n", "", text), encoding="utf-8")
    assert any("event_words" in one for one in lint_runbooks(load_runbooks([tmp_path]), KINDS))


def test_a_catalogue_with_a_problem_is_refused_by_its_check(tmp_path: Path) -> None:
    assert len(checked_runbooks()) == len(load_runbooks())
    text = (BUILT_IN / "disk_full.md").read_text(encoding="utf-8")
    (tmp_path / "x.md").write_text(text.replace("kind: disk,", "kind: disc,"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="unknown kind 'disc'"):
        checked_runbooks([tmp_path])


def test_a_users_runbook_adds_a_cause(tmp_path: Path) -> None:
    text = (BUILT_IN / "disk_full.md").read_text(encoding="utf-8").replace("key: disk_full", "key: our_cause")
    (tmp_path / "ours.md").write_text(text, encoding="utf-8")
    assert {one.key for one in checked_runbooks([tmp_path])} - {one.key for one in load_runbooks()} == {
        "our_cause"
    }


def test_a_file_is_named_like_its_key() -> None:
    for path in BUILT_IN.glob("*.md"):
        assert parse_runbook(path.read_text(encoding="utf-8"), path.name).key == path.stem


def test_a_users_runbook_replaces_the_built_in_one_of_the_same_key(tmp_path: Path) -> None:
    text = (BUILT_IN / "disk_full.md").read_text(encoding="utf-8")
    (tmp_path / "ours.md").write_text(text.replace("The disk of {place} is full", "Ours"), encoding="utf-8")
    loaded = {one.key: one for one in load_runbooks([tmp_path])}
    assert loaded["disk_full"].title == "Ours"
    assert len(loaded) == len(load_runbooks())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no front matter", "front matter"),
        ("---\n: [\n---\nbody\n", "not YAML"),
        ("---\n- a\n---\nbody\n", "mapping"),
        ("---\nkey: x_y_z\n---\nbody\n", "title"),
    ],
)
def test_an_unusable_runbook_is_refused_with_the_file_and_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        parse_runbook(text, "mine.md")
    assert str(caught.value).startswith("mine.md")


def test_a_wrong_pattern_is_named(tmp_path: Path) -> None:
    text = (BUILT_IN / "disk_full.md").read_text(encoding="utf-8")
    (tmp_path / "x.md").write_text(text.replace("- enospc", "- '['"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="regular expression"):
        load_runbooks([tmp_path])


def test_the_lint_names_unknown_kinds_and_rivals(tmp_path: Path) -> None:
    text = (BUILT_IN / "disk_full.md").read_text(encoding="utf-8")
    changed = text.replace("kind: disk,", "kind: disc,").replace(
        "rival: database_contention", "rival: nobody"
    )
    (tmp_path / "x.md").write_text(changed, encoding="utf-8")
    problems = lint_runbooks(load_runbooks([tmp_path]), KINDS)
    assert any("unknown kind 'disc'" in one for one in problems)
    assert any("unknown cause 'nobody'" in one for one in problems)
