"""How far a server's clock is certainly from this host's, by what it says when it answers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from collectors.intake import Intake
from domain.timestamps import to_microseconds

METRIC = "source_clock_offset_ms"
# An HTTP date tells whole seconds; the time it was written at lies within the second that it names.
DATE_SECONDS = 1.0


@dataclass(slots=True)
class ServerClock:
    """The latest comparison with one server; nothing where it does not tell its time."""

    offset_ms: float | None = None

    def heard(self, headers: Mapping[str, str], asked: float, answered: float) -> None:
        """Take in the head of an answer; `asked` and `answered` are seconds since 1970 on this host's clock.

        A cache tells when the answer was first written, and how long ago that was.
        """
        told = _seconds(headers.get("date", ""))
        if told is not None:
            age = headers.get("age", "").strip()
            told += float(age) if age.isdigit() and len(age) < 8 else 0.0
            self.compare(told + DATE_SECONDS / 2, asked, answered, DATE_SECONDS / 2)

    def compare(self, told: float, asked: float, answered: float, unsure: float = 0.0) -> None:
        """Compare a time told between two times of ours.

        What the way there and back, and the resolution of what was told (`unsure` seconds), may explain is no
        difference: a slow answer is not a wrong clock.
        """
        ahead = told - (asked + answered) / 2
        certain = max(abs(ahead) - abs(answered - asked) / 2 - unsure, 0.0)
        self.offset_ms = math.copysign(certain, ahead) * 1_000 if certain else 0.0

    def note(self, intake: Intake, source: str, now: datetime) -> None:
        """Store how far the server's clock is ahead, where that is known."""
        if self.offset_ms is not None:
            labels = {"component": f"source:{source}", "source": source}
            row = intake.row(METRIC, labels, unit="ms", source="system_metrics")
            intake.add(row, to_microseconds(now), self.offset_ms)


def _seconds(date: str) -> float | None:
    """Seconds since 1970 of an HTTP date, None for anything else."""
    if not date.endswith("GMT") or len(date) > 40:
        return None
    try:
        return parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
