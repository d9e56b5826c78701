"""The catalogue of causes is complete, consistent, and can be overridden file by file."""

from pathlib import Path

import pytest

from agent.vocabulary import KINDS
from domain.errors import ConfigurationError
from prompts.runbook import BUILT_IN, lint_runbooks, load_runbooks, parse_runbook


def test_the_built_in_runbooks_pass_the_lint() -> None:
    runbooks = load_runbooks()
    assert len(runbooks) >= 32
    assert lint_runbooks(runbooks, KINDS) == []


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
