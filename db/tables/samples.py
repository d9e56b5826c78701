"""Series and their samples: a journal that acknowledges, chunks that are read."""

from typing import Any

from sqlalchemy import Index
from sqlmodel import Field

from db.tables.columns import Bytes, Document, Row, Whole, Words


class SeriesRow(Row, table=True):
    """A registered series. `digest` stands for the name, which can be longer than an index takes."""

    __tablename__ = "series"
    __table_args__ = (Index("ix_series_step_s", "step_s"), Index("ix_series_metric", "metric"))

    id: int | None = Field(default=None, primary_key=True, sa_type=Whole)
    digest: str = Field(unique=True, sa_type=Words)
    name: str = Field(sa_type=Words)
    metric: str = Field(sa_type=Words)
    labels: dict[str, Any] = Field(sa_type=Document)
    source: str = Field(sa_type=Words)
    unit: str = Field(sa_type=Words)
    step_s: int = Field(sa_type=Whole)
    kind: str = Field(sa_type=Words)


class SeriesLabelRow(Row, table=True):
    """One label of one series, for searches."""

    __tablename__ = "series_label"
    __table_args__ = (Index("ix_series_label_name_value", "name", "value"),)

    series_id: int = Field(primary_key=True, sa_type=Whole, foreign_key="series.id", ondelete="CASCADE")
    name: str = Field(primary_key=True, sa_type=Words)
    value: str = Field(sa_type=Words)


class JournalRow(Row, table=True):
    """One acknowledged group of samples, as columns in `payload`; ids become visible in order."""

    __tablename__ = "sample_journal"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = Field(default=None, primary_key=True, sa_type=Whole)
    samples: int = Field(sa_type=Whole)
    payload: bytes = Field(sa_type=Bytes)


class ChunkRow(Row, table=True):
    """Samples of one series within one UTC day, sorted by time; a full day splits into several chunks.

    A chunk holds the times from `start` up to the start of the next chunk of its series and day.
    Times are `start_of_day + tick * unit`, with ticks of `width` bytes.
    """

    __tablename__ = "sample_chunk"
    __table_args__ = (Index("ix_sample_chunk_series_id_last", "series_id", "last"),)

    day: int = Field(primary_key=True, sa_type=Whole)
    series_id: int = Field(primary_key=True, sa_type=Whole, foreign_key="series.id", ondelete="CASCADE")
    start: int = Field(primary_key=True, sa_type=Whole)
    first: int = Field(sa_type=Whole)
    last: int = Field(sa_type=Whole)
    samples: int = Field(sa_type=Whole)
    unit: int = Field(sa_type=Whole)
    width: int = Field(sa_type=Whole)
    ticks: bytes = Field(sa_type=Bytes)
    data: bytes = Field(sa_type=Bytes)


class SampleStateRow(Row, table=True):
    """One row: how far the journal was folded, cut off and judged, and which compaction may write."""

    __tablename__ = "sample_state"

    id: int = Field(primary_key=True, sa_type=Whole)
    compacted_to: int = Field(sa_type=Whole)
    trimmed_to: int = Field(sa_type=Whole)
    judged_to: int = Field(default=0, sa_type=Whole, sa_column_kwargs={"server_default": "0"})
    epoch: int = Field(sa_type=Whole)
