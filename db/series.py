"""Registered series: each gets a number, once."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, func, select, update

from db.database import Database
from db.documents import digest
from db.paging import Page, check_limit, decode_cursor, encode_cursor
from db.postgres import Lock
from db.statements import RowView, blocks, insert_into
from db.tables import samples, table_of
from domain.errors import NotFound, Overloaded
from domain.series import Series, SeriesKey

_SERIES = table_of(samples.SeriesRow)
_LABEL = table_of(samples.SeriesLabelRow)


class SeriesStore:
    """Series by identity and by number; they are never deleted, so known ones are kept in memory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._guard = threading.Lock()
        self._known: dict[SeriesKey, Series] = {}
        self._by_id: dict[int, Series] = {}

    def register(self, series: Sequence[Series]) -> list[Series]:
        """The same series with their numbers; unknown ones are stored, all or none.

        The first registration decides about source, step and kind; an empty unit is filled in later.

        Raises:
            Overloaded: there would be more series than `max_series` allows.
        """
        found = self.register_up_to_cap(series, all_or_none=True)
        return [one for one in found if one is not None]

    def register_up_to_cap(
        self, series: Sequence[Series], *, all_or_none: bool = False
    ) -> list[Series | None]:
        """As `register`, but None for each new series beyond the cap, in the order given."""
        unknown = {one.key: one for one in reversed(series) if self._is_news(one)}
        if unknown:
            wanted = [unknown[key] for key in dict.fromkeys(one.key for one in series) if key in unknown]
            with self._database.write(Lock.SERIES) as connection:
                stored = self._store(connection, wanted, all_or_none)
            self._remember(stored)
        return [self._known.get(one.key) for one in series]

    def all(self) -> list[Series]:
        """All series by number, those of other processes included."""
        with self._database.read() as connection:
            newest = max(self._by_id, default=0)
            rows = connection.execute(select(_SERIES).where(_SERIES.c.id > newest)).mappings().all()
        self._remember([_series(row) for row in rows])
        with self._guard:
            return [self._by_id[number] for number in sorted(self._by_id)]

    def get(self, series_id: int) -> Series:
        """One series; raises NotFound."""
        known = self._by_id.get(series_id)
        if known is not None:
            return known
        with self._database.read() as connection:
            row = connection.execute(select(_SERIES).where(_SERIES.c.id == series_id)).mappings().first()
        if row is None:
            raise NotFound("series", str(series_id))
        return _series(row)

    def get_many(self, series_ids: Sequence[int]) -> list[Series]:
        """Several series, with at most one read of the database; raises NotFound."""
        if any(one not in self._by_id for one in series_ids):
            self.all()
        return [self.get(one) for one in series_ids]

    def named(self, names: Sequence[str]) -> dict[str, Series]:
        """The registered ones among canonical names such as `pnl{strategy="mm_btc"}`."""
        with self._database.read() as connection:
            return _by_name(connection, names)

    def find(
        self,
        metric: str | None = None,
        labels: Mapping[str, str] | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Series]:
        """Series with exactly this metric and these labels (others may be there too), by number."""
        statement = select(_SERIES).order_by(_SERIES.c.id).limit(check_limit(limit) + 1)
        if cursor is not None:
            statement = statement.where(_SERIES.c.id > decode_cursor(cursor, 1)[0])
        if metric is not None:
            statement = statement.where(_SERIES.c.metric == metric)
        for name, value in (labels or {}).items():
            carriers = select(_LABEL.c.series_id).where(_LABEL.c.name == name, _LABEL.c.value == value)
            statement = statement.where(_SERIES.c.id.in_(carriers))
        with self._database.read() as connection:
            rows = connection.execute(statement).mappings().all()
        more = encode_cursor(rows[limit - 1]["id"]) if len(rows) > limit else None
        return Page(tuple(_series(row) for row in rows[:limit]), more)

    def count(self) -> int:
        """How many series are registered."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(_SERIES)).scalar_one())

    def _is_news(self, one: Series) -> bool:
        known = self._known.get(one.key)
        return known is None or bool(one.unit and not known.unit)

    def _remember(self, series: Sequence[Series]) -> None:
        with self._guard:
            self._known.update((one.key, one) for one in series)
            self._by_id.update((one.id, one) for one in series)

    def _store(self, connection: Connection, wanted: list[Series], all_or_none: bool) -> list[Series]:
        stored = _by_name(connection, [one.name for one in wanted])
        for one in wanted:
            old = stored.get(one.name)
            if old is not None and one.unit and not old.unit:
                connection.execute(update(_SERIES).where(_SERIES.c.id == old.id).values(unit=one.unit))
                stored[one.name] = replace(old, unit=one.unit)
        new = [one for one in wanted if one.name not in stored]
        count = int(connection.execute(select(func.count()).select_from(_SERIES)).scalar_one())
        cap = self._database.settings.max_series
        if all_or_none and count + len(new) > cap:
            raise Overloaded(f"the cap of {cap} series (database.max_series) is reached", 60.0)
        new = new[: max(cap - count, 0)]
        _insert(connection, new)
        return [*stored.values(), *_by_name(connection, [one.name for one in new]).values()]


def _by_name(connection: Connection, names: Sequence[str]) -> dict[str, Series]:
    found: dict[str, Series] = {}
    for block in blocks(names):
        statement = select(_SERIES).where(_SERIES.c.digest.in_([digest(name) for name in block]))
        found |= {row["name"]: _series(row) for row in connection.execute(statement).mappings()}
    return found


def _insert(connection: Connection, new: list[Series]) -> None:
    if not new:
        return
    rows = [
        {
            "digest": digest(one.name),
            "name": one.name,
            "metric": one.key.metric,
            "labels": dict(one.key.labels),
            "source": one.source,
            "unit": one.unit,
            "step_s": one.step_s,
            "kind": one.kind,
        }
        for one in new
    ]
    connection.execute(insert_into(connection, _SERIES), rows)
    numbers = {name: one.id for name, one in _by_name(connection, [one.name for one in new]).items()}
    labels = [
        {"series_id": numbers[one.name], "name": name, "value": value}
        for one in new
        for name, value in one.key.labels
    ]
    if labels:
        connection.execute(insert_into(connection, _LABEL), labels)


def _series(row: RowView) -> Series:
    key = SeriesKey(row["metric"], tuple(sorted(row["labels"].items())))
    return Series(row["id"], key, row["source"], row["unit"], row["step_s"], row["kind"])
