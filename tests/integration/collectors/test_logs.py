"""Log files that are written, rotated, truncated and compressed while they are read."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collectors.build import build_collector
from collectors.collector import Collected, Position
from collectors.settings_logs import LogSource
from domain.errors import SourceError

START = datetime(2026, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)


def line(
    cell: float, text: str = "order 1 filled", level: str = "INFO", component: str = "gateway:okx"
) -> str:
    at = START + cell * STEP + timedelta(seconds=1)
    return f"{at:%Y-%m-%dT%H:%M:%S}.000Z {level} {component} {text}\n"


def append(path: Path, *lines: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(lines))


class Reader:
    """Reads as the runner does: state goes through JSON, pages follow until there are no more."""

    def __init__(self, folder: Path, **more: object) -> None:
        values = {
            "kind": "logs",
            "name": "logs",
            "paths": [str(folder / "*.log")],
            "template_series": 0,
            **more,
        }
        self.settings = LogSource.model_validate(values)
        self.position = Position()
        self.notes: list[str] = []

    def read(self, cell: float) -> list[Collected]:
        pages = []
        more = True
        while more:
            cursor = json.loads(json.dumps(self.position.cursor))
            page = build_collector(self.settings, {}).collect(
                Position(self.position.watermark, cursor), START + cell * STEP
            )
            pages.append(page)
            self.position, more = page.position, page.more
            self.notes += page.notes
        return pages

    def counts(self, cell: float, level: str = "INFO") -> dict[int, float]:
        return {
            int((at - START) / STEP): value
            for page in self.read(cell)
            for series, at, value in page.samples
            if series.key.label("level") == level and series.key.metric == "log_lines"
        }


def test_lines_are_counted_per_cell_level_and_component(tmp_path: Path) -> None:
    append(tmp_path / "a.log", line(0), line(0), line(0, level="ERROR"), line(2), line(3))
    (page,) = Reader(tmp_path).read(3)
    found = {
        (series.key.label("component"), series.key.label("level"), (at - START) // STEP): value
        for series, at, value in page.samples
        if series.key.metric == "log_lines"
    }
    assert found["gateway:okx", "INFO", 0] == 2
    assert found["gateway:okx", "ERROR", 0] == 1
    assert found["gateway:okx", "INFO", 1] == 0
    assert found["gateway:okx", "WARN", 2] == 0
    assert not [key for key in found if key[2] == 3]
    assert {(series.source, series.unit) for series in page.samples.series} == {
        ("system_logs", "lines"),
        ("system_logs", "ratio"),
    }


def test_a_cell_in_the_making_is_counted_when_it_is_over(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    reader = Reader(tmp_path)
    append(path, line(0))
    assert reader.counts(0.5) == {}
    append(path, line(0))
    assert reader.counts(1) == {0: 2}
    assert reader.counts(3) == {1: 0, 2: 0}


def test_a_renamed_file_is_read_to_its_end_before_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    reader = Reader(tmp_path)
    append(path, line(0))
    assert reader.counts(1) == {0: 1}
    append(path, line(1, "last words 1"))
    path.rename(tmp_path / "a.log.1")
    append(path, line(1, "first words 2"), line(1))
    assert reader.counts(2) == {1: 3}
    assert reader.notes == []


def test_a_rotated_file_that_was_compressed_at_once_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    reader = Reader(tmp_path)
    append(path, line(0))
    reader.read(1)
    append(path, line(1))
    (tmp_path / "a.log.1.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.write_text(line(1, "another start"))
    assert reader.counts(2) == {1: 2}


def test_a_copied_and_truncated_file_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    reader = Reader(tmp_path)
    append(path, line(0), line(0, "more"))
    reader.read(1)
    append(path, line(1))
    (tmp_path / "a.log.1").write_bytes(path.read_bytes())
    path.write_text("")
    append(path, line(1, "fresh"))
    assert reader.counts(2) == {1: 2}


def test_lines_out_of_reach_after_a_rotation_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    reader = Reader(tmp_path)
    append(path, line(0), line(0))
    reader.read(1)
    path.write_text(line(1, "another start"))
    assert reader.counts(2) == {1: 1}
    assert "out of reach" in reader.notes[0]


def test_a_backlog_of_several_files_is_counted_right_across_pages(tmp_path: Path) -> None:
    for name in ("a", "b"):
        append(
            tmp_path / f"{name}.log", *(line(k / 100, f"order {k} filled by {name}") for k in range(3_000))
        )
    append(tmp_path / "c.log", line(0))
    reader = Reader(tmp_path, max_bytes=60_000)
    pages = reader.read(30)
    assert len(pages) > 5
    total: dict[int, float] = {}
    for page in pages:
        for series, at, value in page.samples:
            if series.key.label("level") == "INFO":
                total[(at - START) // STEP] = value
    assert total == {cell: 200 + (cell == 0) for cell in range(30)}


def test_templates_have_series_of_their_own_worst_level_first(tmp_path: Path) -> None:
    append(tmp_path / "a.log", *(line(0) for _ in range(9)), line(0, "margin call 17", "ERROR"), line(1))
    (page,) = Reader(tmp_path, template_series=1).read(1)
    (named,) = [one for one in page.samples.series if one.key.metric == "log_template_lines"]
    assert dict(named.key.labels) == {
        "component": "gateway:okx",
        "level": "ERROR",
        "template": "margin call <*>",
    }


def test_errors_that_come_late_still_find_a_place(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    reader = Reader(tmp_path, template_series=4)
    append(path, *(line(0, f"{word} message of {word}") for word in ("one", "two", "three", "four", "five")))
    reader.read(1)
    append(path, line(1, "margin call 17", "ERROR"))
    (page,) = reader.read(2)
    levels = [one.key.label("level") for one in page.samples.series if one.key.metric == "log_template_lines"]
    assert sorted(map(str, levels)) == ["ERROR", "INFO", "INFO"]


def test_a_new_error_template_is_an_event_and_the_usual_ones_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    reader = Reader(tmp_path)
    append(path, line(0), line(0, "old error 1", "ERROR"))
    (page,) = reader.read(1)
    assert page.events == ()
    append(
        path,
        line(1),
        line(1, "old error 2", "ERROR"),
        line(1, "nonce 7 too low", "ERROR"),
        line(1, "new info"),
    )
    (page,) = reader.read(2)
    (event,) = page.events
    assert event.text == "nonce 7 too low"
    assert event.labels["template"] == "nonce <*> too low"
    assert (event.labels["novelty"], event.labels["level"], event.kind) == ("new_template", "ERROR", "log")
    assert event.timestamp == START + STEP + timedelta(seconds=1)


def test_a_burst_is_an_event(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    reader = Reader(tmp_path)
    append(path, *(line(cell) for cell in range(20)))
    reader.read(20)
    append(path, *(line(20) for _ in range(50)))
    events = [event for page in reader.read(21) for event in page.events]
    assert [(event.labels["novelty"], event.labels["count"], event.labels["usual"]) for event in events] == [
        ("burst", "50", "1.0")
    ]


def test_the_same_lines_read_again_yield_the_same_events(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    reader = Reader(tmp_path)
    append(path, line(0))
    reader.read(1)
    before = reader.position
    append(path, line(1, "margin call 17", "ERROR"))
    first = reader.read(2)
    reader.position = before
    again = reader.read(2)
    assert [page.events for page in first] == [page.events for page in again]
    assert first[0].events


def test_stack_traces_and_lines_of_the_future_are_no_lines(tmp_path: Path) -> None:
    append(tmp_path / "a.log", line(0), "  at desk.Main(12)\n", "\tat desk.Main(13)\n", line(500))
    reader = Reader(tmp_path)
    assert reader.counts(1) == {0: 1}
    assert "in the future" in reader.notes[0]


def test_a_line_without_end_and_binary_rubbish_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"\x00\xff\xfe\x1b[2J" * 20_000 + line(0).encode())
    reader = Reader(tmp_path, max_bytes=10_000)
    assert len(reader.read(1)) > 3


def test_only_new_lines_are_read_where_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, line(0), line(0))
    reader = Reader(tmp_path, from_start=False)
    assert reader.counts(1) == {}
    append(path, line(1))
    assert reader.counts(2) == {1: 1}


def test_no_file_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no file matches"):
        Reader(tmp_path).read(1)


def test_rotated_files_that_match_too_are_read_once(tmp_path: Path) -> None:
    """desk.log -> desk.log.1 -> desk.log.2.gz, all of them in the pattern."""
    path = tmp_path / "desk.log"
    reader = Reader(tmp_path, paths=[str(tmp_path / "desk.log*")])
    append(path, line(0, "first 1"), line(0, "first 2"))
    assert reader.counts(1) == {0: 2}
    for cell in range(1, 6):
        append(path, line(cell, f"last words of {cell}"))
        for number in (3, 2):
            packed = tmp_path / f"desk.log.{number - 1}.gz"
            if packed.exists():
                packed.rename(tmp_path / f"desk.log.{number}.gz")
        if (tmp_path / "desk.log.1").exists():
            old = tmp_path / "desk.log.1"
            (tmp_path / "desk.log.2.gz").write_bytes(gzip.compress(old.read_bytes()))
            old.unlink()
        path.rename(tmp_path / "desk.log.1")
        append(path, line(cell, "a fresh file"))
        assert reader.counts(cell + 1) == {cell: 2}
    assert reader.notes == []


def test_files_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    banner = "=" * 300 + "\n"
    path = tmp_path / "a.log"
    append(path, banner, line(0))
    reader = Reader(tmp_path)
    first = reader.counts(1)
    path.rename(tmp_path / "a.log.1")
    append(path, banner, line(1), line(1), line(1))
    assert (first[0], reader.counts(2)[1]) == (1, 3)
    append(tmp_path / "a-2.log", banner, line(2))
    assert reader.counts(3)[2] == 1


def test_a_copied_and_truncated_file_whose_copy_matches_too_is_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    reader = Reader(tmp_path, paths=[str(tmp_path / "a.log*")])
    append(path, line(0), line(0, "more"))
    assert reader.counts(1) == {0: 2}
    append(path, line(1))
    (tmp_path / "a.log.1").write_bytes(path.read_bytes())
    path.write_text("")
    assert reader.counts(2) == {1: 1}
    append(path, line(2))
    assert reader.counts(3) == {2: 1}


def test_a_file_that_appears_later_is_read_from_its_beginning(tmp_path: Path) -> None:
    append(tmp_path / "a.log", line(0))
    reader = Reader(tmp_path, from_start=False)
    reader.read(1)
    append(tmp_path / "b.log", line(1), line(1))
    assert reader.counts(2) == {1: 2}


TRACEBACK = """Traceback (most recent call last):
  File "maker.py", line 3, in quote
    send(order)
desk.gateway.Rejected: insufficient margin for 12 contracts
"""


def test_a_traceback_is_part_of_its_line(tmp_path: Path) -> None:
    append(tmp_path / "a.log", line(0), line(0, "quoting broke", "ERROR"), TRACEBACK, line(0))
    reader = Reader(tmp_path)
    pages = reader.read(1)
    found = {
        one.key.label("level"): value
        for page in pages
        for one, _, value in page.samples
        if one.key.metric == "log_lines"
    }
    assert found == {"INFO": 2, "ERROR": 1, "WARN": 0}
    append(tmp_path / "a.log", TRACEBACK, line(1))
    assert reader.counts(2) == {1: 1}


def test_a_line_longer_than_a_page_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(line(0).rstrip() + "x" * 95_000 + "\n" + line(0))
    reader = Reader(tmp_path, max_bytes=10_000)
    assert reader.counts(1) == {0: 2}


def novelties(page: Collected) -> dict[tuple[str | None, int], float]:
    return {
        (one.key.label("template"), (at - START) // STEP): value
        for one, at, value in page.samples
        if one.key.metric == "log_novelty"
    }


def test_a_new_template_has_a_series_that_returns_to_zero_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    reader = Reader(tmp_path)
    append(path, line(0))
    assert novelties(reader.read(1)[0]) == {}
    append(path, line(1), line(1, "nonce 7 too low", "ERROR"), line(2, "nonce 8 too low", "ERROR"))
    (page,) = reader.read(3)
    name = "nonce <*> too low"
    assert novelties(page) == {(name, 1): 2, (name, 2): 2}
    append(path, line(3))
    found = novelties(reader.read(30)[0])
    assert set(found.values()) == {0}
    append(path, line(30))
    assert novelties(reader.read(31)[0]) == {}


def test_places_of_novelties_are_bounded_and_the_rest_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    reader = Reader(tmp_path, novelty_series=2)
    append(path, line(0))
    reader.read(1)
    words = ("alpha", "beta", "gamma", "delta")
    append(path, *(line(1, f"{word} broke down {word}", "ERROR") for word in words))
    (page,) = reader.read(2)
    assert len(novelties(page)) == 2
    assert len(page.events) == 4
    assert "novelty_series" in reader.notes[0]


def test_the_error_ratio_counts_failures_and_not_their_details(tmp_path: Path) -> None:
    append(
        tmp_path / "a.log",
        line(0),
        line(0),
        line(0, "order rejected by the venue", "ERROR"),
        line(0, "leverage: 5", "ERROR"),
        line(1),
    )
    (page,) = Reader(tmp_path).read(3)
    ratios = {
        (at - START) // STEP: value for one, at, value in page.samples if one.key.metric == "log_error_ratio"
    }
    assert ratios == {0: 0.25, 1: 0.0, 2: 0.0}


def test_a_secret_in_a_line_is_in_no_template_and_no_event(tmp_path: Path) -> None:
    log = tmp_path / "desk.log"
    text = "ERROR cannot open postgresql://bot:hunter2@db/x with api_key=AK99887766"
    log.write_text(
        "".join(f"{START + k * timedelta(seconds=20):%Y-%m-%dT%H:%M:%S}Z {text}\n" for k in range(30))
    )
    settings = LogSource.model_validate(
        {"kind": "logs", "name": "l", "paths": [str(log)], "step_seconds": 300}
    )
    page = build_collector(settings, {}).collect(Position(), START + timedelta(minutes=30))
    told = str(page.samples.series) + str(page.events) + str(page.position)
    assert "cannot open" in told
    assert "hunter2" not in told
    assert "AK99887766" not in told
