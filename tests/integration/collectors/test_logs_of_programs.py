"""What programs write around what matters: their own loggers' names, the banner of a restart, tracebacks."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collectors.build import build_collector
from collectors.collector import Collected, Position
from collectors.settings_logs import LogSource

START = datetime(2026, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
BANNER = (
    "INFO Logfile configured",
    "INFO Runmode set to live",
    "INFO Using exchange Bybit",
    "INFO Wallets synced",
    "WARN Telegram is disabled in this run",
    "INFO Changing state to RUNNING",
)


class Bot:
    """A bot that logs to one file, and the collector that reads it."""

    def __init__(self, folder: Path, **more: object) -> None:
        self.path = folder / "bot.log"
        values = {"kind": "logs", "name": "bot", "paths": [str(self.path)], **more}
        self.settings = LogSource.model_validate(values)
        self.position = Position()

    def says(self, cell: float, *texts: str) -> None:
        at = START + cell * STEP
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(f"{at:%Y-%m-%d %H:%M:%S},000 {text}\n" for text in texts)

    def read(self, cell: float) -> Collected:
        cursor = json.loads(json.dumps(self.position.cursor))
        collector = build_collector(self.settings, {})
        page = collector.collect(Position(self.position.watermark, cursor), START + cell * STEP)
        self.position = page.position
        return page

    def known(self) -> None:
        """A day of ordinary lines passes."""
        for cell in range(288):
            self.says(cell, *(f"INFO heartbeat {k}" for k in range(4)))
        self.read(288)


def novel(page: Collected) -> set[str]:
    return {
        str(one.key.label("template"))
        for one, _, value in page.samples
        if one.key.metric == "log_novelty" and value
    }


def test_the_banner_of_a_restart_is_told_by_events_and_not_as_trouble(tmp_path: Path) -> None:
    bot = Bot(tmp_path)
    bot.known()
    bot.says(288, *BANNER)
    page = bot.read(289)
    assert novel(page) == set()
    assert len(page.events) == len(BANNER)


def test_an_error_in_the_banner_of_a_restart_is_told(tmp_path: Path) -> None:
    bot = Bot(tmp_path)
    bot.known()
    bot.says(288, *BANNER, "ERROR failed to load the strategy")
    assert novel(bot.read(289)) == {"failed to load the strategy"}


def test_a_new_quiet_line_by_itself_is_told_when_its_cell_is_over_whenever_it_is_read(tmp_path: Path) -> None:
    bot = Bot(tmp_path)
    bot.known()
    bot.says(288.2, "WARN pong is missing")
    assert novel(bot.read(288.5)) == set()
    assert novel(bot.read(289.1)) == {"pong is missing"}


def test_a_configured_component_stands_where_a_line_names_only_its_logger(tmp_path: Path) -> None:
    bot = Bot(tmp_path, component="gateway:binance")
    bot.says(0, "INFO orders.pool: one", "INFO gateway:okx two")
    with bot.path.open("a", encoding="utf-8") as file:
        file.write(
            '{"time": "2026-03-01T00:00:00Z", "level": "info", "logger": "gw.orders", "msg": "three"}\n'
        )
    counts = {
        one.key.label("component"): value
        for one, _, value in bot.read(1).samples
        if one.key.metric == "log_lines" and one.key.label("level") == "INFO"
    }
    assert counts == {"gateway:binance": 2, "gateway:okx": 1}


def test_an_error_is_told_with_the_exception_that_its_traceback_ends_in(tmp_path: Path) -> None:
    bot = Bot(tmp_path)
    bot.known()
    trace = 'ERROR cycle failed\nTraceback (most recent call last):\n  File "a.py", line 1, in run\n{}'
    bot.says(288, trace.format("KeyError: 'close'"))
    page = bot.read(289)
    assert [one.text for one in page.events] == ["cycle failed | KeyError: 'close'"]
    bot.says(289, trace.format("KeyError: 'close'"))
    assert not bot.read(290).events, "the same failure again is no news"
    java = "ERROR cycle failed\njava.lang.RuntimeException: outer\n\tat a.B.c(B.java:1)\n"
    bot.says(290, java + "Caused by: java.net.SocketTimeoutException: Read timed out\n\t... 3 more")
    (event,) = bot.read(291).events
    assert event.text == "cycle failed | java.net.SocketTimeoutException: Read timed out"
