"""One leader at a time, and a killed one makes room at once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import text

from db.database import Database
from db.leader import LeaderLock

ROOT = Path(__file__).parents[3]
LEAD = """
import sys, time
from db.database import Database
from db.leader import LeaderLock
lock = LeaderLock(Database(sys.argv[1]))
print(lock.acquire(), flush=True)
time.sleep(60)
"""


def test_only_one_leads_and_hands_over(database: Database) -> None:
    first, second = LeaderLock(database), LeaderLock(database)
    assert not first.held()
    assert first.acquire()
    assert first.acquire(), "leading already is leading"
    assert not second.acquire()
    assert (first.held(), second.held()) == (True, False)
    first.release()
    first.release()
    assert not first.held()
    assert second.acquire()
    assert second.held()
    second.release()


def test_the_lead_of_a_killed_process_is_free(database: Database) -> None:
    url = database.url.render_as_string(False)
    process = subprocess.Popen([sys.executable, "-c", LEAD, url], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "True"
        lock = LeaderLock(database)
        assert not lock.acquire()
        os.kill(process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while not lock.acquire():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        lock.release()
    finally:
        process.kill()
        process.communicate()


def test_a_leader_that_lost_its_server_connection_knows_it(postgres_url: str) -> None:
    database = Database(postgres_url)
    lock = LeaderLock(database)
    assert lock.acquire()
    with database.write() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks"
                " WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database"
                " WHERE datname = current_database())"
            )
        )
    assert not lock.held()
    assert lock.acquire()
    lock.release()
    database.close()
