"""What can be configured is documented, and what is documented can be configured."""

import re
import tomllib
from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from service.commands.setup import example
from service.configuration_reference import reference
from service.settings import load_settings, settings_from

ROOT = Path(__file__).parents[3]


def test_the_page_of_the_configuration_is_what_the_settings_say() -> None:
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == reference(), "run `just docs`"


def test_every_setting_says_what_it_means() -> None:
    silent = [line for line in reference().splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert not silent


def test_the_configuration_that_init_writes_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "analyst.toml"
    path.write_text(example(), encoding="utf-8")
    assert load_settings(path, environ={}).sources[0].name == "this-host"


def test_the_commented_parts_of_that_configuration_are_accepted_too() -> None:
    setting = re.compile(r"# ((\[|SELECT |[a-z_]+ = ).*)")
    lines = [found[1] if (found := setting.match(line)) else line for line in example().splitlines()]
    text = "\n".join(lines).replace('url = "sqlite:///analyst.db"\n', "", 1)
    settings = settings_from(tomllib.loads(text))
    assert {one.kind for one in settings.sources} == {"host", "sql", "prometheus"}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[scheduler]\ninterval_secs = 5", "scheduler.interval_secs"),
        ("[scheduler]\ninterval_seconds = 'often'", "scheduler.interval_seconds"),
        ("[[sources]]\nname = 'x'\nkind = 'carrier-pigeon'", "sources.0"),
        ("[llm]\napi_key = 'hunter2'", "llm.api_key"),
        ("[alerts.slack]\nbot_token = 'hunter2'\nchannel = 'C1'", "alerts.slack.bot_token"),
        ("[nonsense]\na = 1", "nonsense"),
        ("[[rules]]\nname = 'a'\nmetric = 'b'\n[[rules]]\nname = 'a'\nmetric = 'c'", "rules"),
        ("= broken", "analyst.toml"),
    ],
)
def test_a_broken_key_is_named_in_one_line(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "analyst.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load_settings(path, environ={})
    assert key in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_an_unknown_variable_of_the_environment_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.toml").touch()
    with pytest.raises(ConfigurationError, match="ANALYST_SHEDULER__INTERVAL_SECONDS"):
        load_settings(tmp_path / "empty.toml", environ={"ANALYST_SHEDULER__INTERVAL_SECONDS": "5"})
