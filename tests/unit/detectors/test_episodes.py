"""An episode is told when it begins and when it ends, however long its last cell is past."""

from datetime import UTC, datetime, timedelta

from detectors.episodes import Episodes, Finding, Patience

START = datetime(2026, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
PATIENCE = Patience(quiet_steps=3, refractory=timedelta(hours=4), merge=timedelta(minutes=15))


def finding(cell: int, surprise: float = 5.0) -> Finding:
    at = START + cell * STEP
    return Finding(at, at + STEP, surprise, surprise, surprise, "up", 1.0, 0.0, 0.5, 3.0, {})


def told(episodes: Episodes) -> list[tuple[int, datetime | None]]:
    return [(row, one.ended) for row, one in episodes.changed()]


def test_the_end_is_told_although_the_last_anomalous_cell_is_cells_ago() -> None:
    episodes = Episodes(PATIENCE)
    episodes.alarm(0, finding(0), START)
    assert told(episodes) == [(0, None)]
    for _ in range(2):
        episodes.calm(0)
        assert told(episodes) == []
    episodes.calm(0)
    assert told(episodes) == [(0, START + STEP)]
    assert told(episodes) == []


def test_an_end_is_not_lost_when_the_next_episode_begins_in_the_same_look() -> None:
    episodes = Episodes(PATIENCE)
    episodes.alarm(0, finding(0), START)
    told(episodes)
    for _ in range(3):
        episodes.calm(0)
    episodes.alarm(0, finding(10, surprise=9.0), START + 10 * STEP)
    assert told(episodes) == [(0, START + STEP), (0, None)]
