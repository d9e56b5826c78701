"""Where investigations leave their checkpoints: a file beside a SQLite database, or the PostgreSQL one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver


@asynccontextmanager
async def open_checkpoints(location: Path | str) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """Open, and create where needed, the checkpoint tables.

    Args:
        location: a file for SQLite, or a `postgresql://` connection string.
    """
    if isinstance(location, Path):
        async with _sqlite(location) as saver:
            yield saver
    else:
        async with _postgres(location) as saver:
            yield saver


@asynccontextmanager
async def _sqlite(path: Path) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    import aiosqlite  # noqa: PLC0415 -- only one of the two backends is needed
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver  # noqa: PLC0415

    # A checkpoint is executable memory of the agent: nobody else may read or write it.
    await asyncio.to_thread(path.touch, mode=0o600)
    async with aiosqlite.connect(path) as connection:
        # A lost checkpoint costs a repeated step, not data; full syncs would cost 15 ms a step.
        await connection.execute("PRAGMA synchronous=NORMAL")
        saver = AsyncSqliteSaver(connection)
        await saver.setup()
        yield saver


@asynccontextmanager
async def _postgres(url: str) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver  # noqa: PLC0415 -- an extra
    from psycopg import AsyncConnection  # noqa: PLC0415
    from psycopg.rows import dict_row  # noqa: PLC0415
    from psycopg_pool import AsyncConnectionPool  # noqa: PLC0415

    # autocommit: setup() creates an index concurrently, which no transaction may hold.
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    pool: AsyncConnectionPool[AsyncConnection[dict[str, Any]]]
    pool = AsyncConnectionPool(url, min_size=1, max_size=4, open=False, kwargs=options)
    async with pool:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        yield saver
