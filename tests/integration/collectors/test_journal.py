"""The journal, read from what `journalctl -o json` prints: by a stand-in for the program, and from a file."""

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from real_journal import real_journal

from collectors.build import build_collector
from collectors.collector import Collected, Position
from collectors.settings_logs import JournalSource
from domain.errors import SourceError

START = datetime(2026, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)

# Stands where the program would: takes its options, prints the entries of a file after a cursor.
JOURNALCTL = """#!{python}
import json, sys, time
options = dict(one.lstrip("-").partition("=")[::2] for one in sys.argv[1:])
with open({calls!r}, "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
entries = [json.loads(line) for line in open({entries!r})]
cursor = options.get("after-cursor")
first = 0
if cursor is not None:
    known = [one["__CURSOR"] for one in entries]
    if cursor not in known:
        sys.exit("Failed to seek to cursor: Invalid argument")
    first = known.index(cursor) + 1
elif "since" in options:
    since = float(options["since"].lstrip("@")) * 1e6
    first = sum(int(one["__REALTIME_TIMESTAMP"]) < since for one in entries)
for one in entries[first:]:
    if "all" not in options:
        one = {{name: None if len(str(value)) > 4096 else value for name, value in one.items()}}
    print(json.dumps(one), flush=True)
{more}
"""

# Goes on for ever with one entry, unless long fields are left out.
SLOW = """
if "all" in options:
    print("{", end="", flush=True)
    time.sleep(60)
print(ENTRY)
"""


def entry(cell: float, message: object, unit: str = "gateway.service", **more: object) -> dict[str, object]:
    micros = int((START + cell * STEP).timestamp() * 1_000_000)
    return {
        "__CURSOR": f"s=1;i={micros:x};{hash(str(message)) & 0xFFFF:x}",
        "__REALTIME_TIMESTAMP": str(micros),
        "__MONOTONIC_TIMESTAMP": "1",
        "MESSAGE": message,
        "PRIORITY": "6",
        "_SYSTEMD_UNIT": unit,
        "SYSLOG_IDENTIFIER": "python3",
        **more,
    }


class Journal:
    """A journal in a folder, and a reader of it that goes through JSON as the runner does."""

    def __init__(self, folder: Path, more: str = "", **settings: object) -> None:
        self.entries = folder / "entries.json"
        self.calls = folder / "calls.json"
        program = folder / "journalctl"
        script = JOURNALCTL.format(
            python=sys.executable, calls=str(self.calls), entries=str(self.entries), more=more
        )
        program.write_text(script)
        program.chmod(0o755)
        values = {
            "kind": "journald",
            "name": "journal",
            "program": str(program),
            "template_series": 0,
            "backfill_hours": 24,
            **settings,
        }
        self.settings = JournalSource.model_validate(values)
        self.position = Position()

    def write(self, *entries: object) -> None:
        with self.entries.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(one) + "\n" for one in entries)

    def read(self, cell: float) -> Collected:
        page = build_collector(self.settings, {}).collect(self.position, START + cell * STEP)
        cursor = json.loads(json.dumps(page.position.cursor))
        self.position = Position(page.position.watermark, cursor)
        return page


def lines(page: Collected) -> dict[tuple[str | None, str | None, int], float]:
    return {
        (one.key.label("component"), one.key.label("level"), (at - START) // STEP): value
        for one, at, value in page.samples
        if one.key.metric == "log_lines" and value
    }


def test_entries_are_counted_by_unit_and_priority(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(
        entry(0, "order 1 filled"),
        entry(0.1, "order 2 filled"),
        entry(0.2, "disk is failing", "kernel", PRIORITY="2"),
        entry(0.3, "2026-03-01 00:01:30 ERROR maker: quoting stopped", "maker.service"),
        entry(0.4, list(b"caf\xe9 closed"), PRIORITY="4"),
        entry(0.5, None),
    )
    assert lines(journal.read(1)) == {
        ("gateway", "INFO", 0): 2,
        ("kernel", "CRITICAL", 0): 1,
        ("maker", "ERROR", 0): 1,
        ("gateway", "WARN", 0): 1,
    }


def test_each_read_asks_for_what_came_after_the_last_entry(tmp_path: Path) -> None:
    journal = Journal(tmp_path, only_units=("gateway.service",))
    journal.write(entry(0, "order 1 filled"))
    journal.read(1)
    journal.write(entry(1, "order 2 filled"), entry(1.1, "order 3 filled"))
    assert lines(journal.read(2)) == {("gateway", "INFO", 1): 2}
    assert lines(journal.read(3)) == {}
    calls = [json.loads(line) for line in journal.calls.read_text().splitlines()]
    assert "--unit=gateway.service" in calls[0]
    assert [one for one in calls[0] if one.startswith("--since=@")]
    assert [one for one in calls[1] if one.startswith("--after-cursor=s=1")]


def test_a_real_journal_is_read_by_unit_and_on_from_its_cursor(tmp_path: Path) -> None:
    with real_journal(tmp_path) as journal:
        if journal is None:
            pytest.skip("no journal can be run here: needs root and systemd-journald, and no systemd")
        values = {"kind": "journald", "name": "j", "step_seconds": 300, "only_units": ["desk-maker.service"]}
        collector = build_collector(JournalSource.model_validate({**values, "program": journal.program}), {})
        began = datetime.now(UTC)
        journal.write(
            "desk-maker.service", [(6, "order 1 filled"), (6, "order 2 filled"), (3, "link is lost")]
        )
        journal.write("desk-other.service", [(6, "said by another unit")])
        first = collector.collect(Position(began - STEP), began + 2 * STEP)
        journal.write("desk-maker.service", [(6, "order 3 filled")])
        second = collector.collect(json_again(first.position), began + 4 * STEP)
        lost = {**first.position.cursor, "journal": "s=0;i=1"}
        third = collector.collect(json_again(Position(began - STEP, lost)), began + 4 * STEP)
    assert counted(first) == {("desk-maker", "INFO"): 2, ("desk-maker", "ERROR"): 1}
    # The cell of the first three is corrected, and they are not counted again.
    assert counted(second) == {("desk-maker", "INFO"): 3, ("desk-maker", "ERROR"): 1}
    assert "position lost in the journal: read by time instead" in " ".join(third.notes)


def json_again(position: Position) -> Position:
    return Position(position.watermark, json.loads(json.dumps(position.cursor)))


def counted(page: Collected) -> dict[tuple[str | None, str | None], float]:
    """Lines by component and level, whatever their cells."""
    found: dict[tuple[str | None, str | None], float] = {}
    for one, _, value in page.samples:
        if one.key.metric == "log_lines" and value:
            key = (one.key.label("component"), one.key.label("level"))
            found[key] = found.get(key, 0) + value
    return found


def test_a_cursor_that_was_vacuumed_away_costs_no_entries(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(entry(0, "order 1 filled"))
    journal.read(1)
    journal.entries.unlink()
    journal.write(entry(1.5, "order 2 filled"))
    page = journal.read(2)
    assert lines(page) == {("gateway", "INFO", 1): 1}
    assert "position lost" in page.notes[0]


def test_a_program_that_hangs_is_ended_at_the_deadline_and_what_it_gave_is_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path, more="time.sleep(60)", deadline_seconds=1.5)
    journal.write(entry(0, "order 1 filled"), entry(0.5, "order 2 filled"))
    began = time.monotonic()
    page = journal.read(2)
    assert time.monotonic() - began < 5
    assert page.more
    assert page.position.cursor["lines"] == 2


def test_a_program_that_says_nothing_in_time_is_an_error(tmp_path: Path) -> None:
    journal = Journal(tmp_path, more="time.sleep(60)", deadline_seconds=1)
    journal.write()
    with pytest.raises(SourceError, match="did not answer in time"):
        journal.read(1)


def test_an_endless_journal_is_read_in_bounded_pages(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=100_000)
    journal.write(*(entry(k / 2_000, f"order {k} filled") for k in range(2_000)))
    pages = [journal.read(2)]
    while pages[-1].more:
        pages.append(journal.read(2))
    assert len(pages) > 2
    found: dict[tuple[str | None, str | None, int], float] = {}
    for page in pages:
        found |= lines(page)
    assert found == {("gateway", "INFO", 0): 2_000}


def test_an_entry_that_is_longer_than_a_page_is_left_out_with_a_note(tmp_path: Path) -> None:
    journal = Journal(tmp_path, max_bytes=20_000)
    long = "a stack trace " * 400
    journal.write(
        *(entry(k / 10, f"order {k} filled") for k in range(3)),
        entry(0.4, "x" * 200_000),
        entry(0.5, "y" * 200_000),
        *(entry(0.6 + k / 10, f"{long} {k}") for k in range(3)),
    )
    pages = [journal.read(2)]
    while pages[-1].more and len(pages) < 20:
        pages.append(journal.read(2))
    assert not pages[-1].more
    # What is long but no longer than a page counts.
    assert {key: count for page in pages for key, count in lines(page).items()} == {("gateway", "INFO", 0): 6}
    assert (
        sum("1 entries read without their long fields" in note for page in pages for note in page.notes) == 2
    )
    journal.write(entry(2, "order 9 filled"))
    assert lines(journal.read(3)) == {("gateway", "INFO", 2): 1}


def test_an_entry_that_is_not_read_in_time_is_left_out_with_a_note(tmp_path: Path) -> None:
    slow = SLOW.replace("ENTRY", repr(json.dumps(entry(0.5, None))))
    journal = Journal(tmp_path, deadline_seconds=4, more=slow)
    journal.write()
    began = time.monotonic()
    page = journal.read(2)
    assert time.monotonic() - began < 5
    assert any("without their long fields" in note for note in page.notes)
    assert page.position.cursor["journal"] == entry(0.5, None)["__CURSOR"]


def test_what_the_program_started_is_ended_with_it(tmp_path: Path) -> None:
    child = tmp_path / "child"
    more = f"""
import subprocess
process = subprocess.Popen(["sleep", "30"])
open({str(child)!r}, "w").write(str(process.pid))
process.wait()
"""
    journal = Journal(tmp_path, more=more, deadline_seconds=2)
    journal.write(entry(0, "order 1 filled"))
    began = time.monotonic()
    assert journal.read(2).more
    assert time.monotonic() - began < 10
    status = Path(f"/proc/{child.read_text()}/stat")
    until = time.monotonic() + 5
    while status.exists() and status.read_text().split()[2] != "Z" and time.monotonic() < until:
        time.sleep(0.02)
    assert not status.exists() or status.read_text().split()[2] == "Z"


def test_a_missing_program_is_told_in_one_line(tmp_path: Path) -> None:
    settings = JournalSource(kind="journald", name="j", program=str(tmp_path / "none"))
    with pytest.raises(SourceError, match="cannot be run: No such file or directory"):
        build_collector(settings, {}).collect(Position(), START)


def test_a_program_that_fails_says_why(tmp_path: Path) -> None:
    journal = Journal(
        tmp_path, more='sys.exit("No journal files were opened due to insufficient permissions.")'
    )
    journal.write()
    with pytest.raises(SourceError, match="insufficient permissions"):
        journal.read(1)


def test_a_file_of_entries_is_read_where_no_journal_runs(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    journal = Journal(tmp_path, file=str(path), only_units=("gateway",), priority="warning")
    rows = [
        entry(0, "refused 1", PRIORITY="3"),
        entry(0, "other unit", "cron.service", PRIORITY="3"),
        entry(0, "too quiet"),
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "not json\n[1]\n" + "[" * 5_000 + "\n")
    page = journal.read(1)
    assert lines(page) == {("gateway", "ERROR", 0): 1}
    assert "3 entries refused" in page.notes[0]
    with path.open("a") as file:
        file.write(json.dumps(entry(1, "refused 2", PRIORITY="3")) + "\n")
    assert lines(journal.read(2)) == {("gateway", "ERROR", 1): 1}
    assert not journal.calls.exists()


def test_a_pipe_in_place_of_the_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "journal.json"
    os.mkfifo(pipe)
    settings = JournalSource.model_validate({"kind": "journald", "name": "j", "file": str(pipe)})
    with pytest.raises(SourceError, match="no regular file"):
        build_collector(settings, {}).collect(Position(), START)
