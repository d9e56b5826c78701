"""Nobody changes the audit log unseen."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from db.audit import AuditStore
from db.database import Database
from db.records import AuditVerdict

NOW = datetime(2026, 3, 1, 6, 10, 0, 123456, tzinfo=UTC)


FORGED = (
    "INSERT INTO audit SELECT 6, at, actor, action, subject, reason, before, after, hash, 'x'"
    " FROM audit WHERE seq = 5"
)
SWAPPED = "; ".join(
    f"UPDATE audit SET seq = {new} WHERE seq = {old}" for old, new in ((1, 100), (2, 1), (100, 2))
)


@pytest.fixture
def store(database: Database) -> AuditStore:
    found = AuditStore(database)
    for i in range(1, 6):
        found.append(
            "mk", "rule.changed", "pnl_drop", NOW, f"reason {i}\x00", ({"t": i}, {"t": float("nan")})
        )
    return found


def test_an_untouched_log_verifies_and_reads_back(store: AuditStore) -> None:
    assert store.verify() == AuditVerdict(5)
    entry = store.list(limit=1).items[0]
    assert (entry.seq, entry.at, entry.before, entry.after) == (5, NOW, {"t": 5}, {"t": None})
    rest = store.list("pnl_drop", cursor=store.list(limit=1).next_cursor)
    assert [one.seq for one in rest.items] == [4, 3, 2, 1]


def test_concurrent_entries_form_one_chain(store: AuditStore) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: store.append("a", "b", str(i), NOW), range(20)))
    assert store.verify() == AuditVerdict(25)


@pytest.mark.parametrize(
    ("statement", "first_bad"),
    [
        *((f"UPDATE audit SET {column} = 'x' WHERE seq = 3", 3) for column in ("actor", "action", "subject")),
        *((f"UPDATE audit SET {column} = 'x' WHERE seq = 3", 3) for column in ("reason", "previous", "hash")),
        ("UPDATE audit SET before = '{}' WHERE seq = 1", 1),
        ("UPDATE audit SET after = 'null' WHERE seq = 5", 5),
        ("UPDATE audit SET at = '2026-03-01 06:10:00.123457+00:00' WHERE seq = 4", 4),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 5", 5),
        ("DELETE FROM audit", 1),
        ("DELETE FROM audit_head", 6),
        ("UPDATE audit SET seq = 9 WHERE seq = 2", 2),
        (FORGED, 6),
        (SWAPPED, 1),
    ],
)
def test_every_kind_of_tampering_names_the_first_bad_entry(
    database: Database, store: AuditStore, statement: str, first_bad: int
) -> None:
    with database.write() as connection:
        for part in statement.split("; "):
            connection.exec_driver_sql(part)
    verdict = store.verify()
    assert verdict.first_bad == first_bad
    assert verdict.reason
