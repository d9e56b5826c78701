"""The three desks of docs/examples: checked, and run once against servers and files on loopback."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from example_desks import NAMES, SECRETS, Outside, settings_of

from service.checks import check_everything
from service.wiring import build_service

# The library's own use of another one.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:yfinance")


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    for name in SECRETS:
        monkeypatch.setenv(name, "a-secret-of-the-desk")
    with ExitStack() as stack:
        yield Outside(stack, tmp_path, datetime.now(UTC).replace(microsecond=0))


@pytest.mark.parametrize("name", NAMES)
def test_every_check_of_a_desk_passes(name: str, outside: Outside, tmp_path: Path) -> None:
    answers = {what: attempt() for what, attempt in check_everything(settings_of(name, outside, tmp_path))}
    assert all(answers.values())
    sources = {what for what in answers if what.startswith("source ")}
    assert len(sources) >= 6
    assert all("samples" in answers[what] for what in sources), answers


@pytest.mark.endurance
@pytest.mark.parametrize("name", NAMES)
def test_every_source_of_a_desk_is_read_in_one_cycle(name: str, outside: Outside, tmp_path: Path) -> None:
    settings = settings_of(name, outside, tmp_path)
    service = build_service(settings, clock=lambda: outside.now)
    try:
        service.parts.windows.load(outside.now)
        service.parts.investigations.start()
        slot = service.parts.claim(outside.now)
        assert slot is not None
        done = service.parts.pipeline.run_cycle(slot, outside.now)
        assert done.status == "done", done.error
        health = {one.name: one for one in service.parts.sources.health(outside.now)}
        assert {one.status for one in health.values()} == {"ok"}, health
        silent = [one.name for one in health.values() if one.samples + one.events == 0]
        # At a weekend there are no bars of the day.
        assert [one for one in silent if not one.startswith("shares")] == []
        assert done.series > 10
        stored = service.parts.stores.events.between(outside.now - timedelta(days=1), outside.now, limit=100)
        assert stored
    finally:
        service.parts.sources.close()
        service.parts.investigations.stop()
        service.parts.database.close()
