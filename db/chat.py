"""Chat threads and their messages."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select, update

from db.database import Database
from db.identifiers import inside, outside
from db.paging import Page, check_limit, newest_first, page_of
from db.records import ChatMessage, ChatThread
from db.statements import RowView, insert_into, inserted_id
from db.tables import people, table_of
from domain.errors import NotFound

_THREAD = table_of(people.ThreadRow)
_MESSAGE = table_of(people.MessageRow)


class ChatStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, owner: str, title: str, now: datetime) -> ChatThread:
        """A new thread."""
        values = {"owner": owner, "title": title, "created_at": now, "updated_at": now}
        with self._database.write() as connection:
            number = inserted_id(connection, _THREAD, values)
        return ChatThread(outside("thread", number), owner, title, now, now)

    def append(self, thread_id: str, message: ChatMessage) -> ChatMessage:
        """Add a message to a thread; the same with its number. Raises NotFound."""
        number = inside("thread", thread_id)
        with self._database.write() as connection:
            touched = update(_THREAD).where(_THREAD.c.id == number).values(updated_at=message.at)
            if not connection.execute(touched).rowcount:
                raise NotFound("thread", thread_id)
            last = connection.execute(
                select(func.max(_MESSAGE.c.n)).where(_MESSAGE.c.thread_id == number)
            ).scalar()
            stored = replace(message, n=int(last or 0) + 1)
            values = {name: getattr(stored, name) for name in ChatMessage.__slots__}
            connection.execute(insert_into(connection, _MESSAGE).values(thread_id=number, **values))
        return stored

    def thread(self, thread_id: str) -> ChatThread:
        """One thread; raises NotFound."""
        number = inside("thread", thread_id)
        with self._database.read() as connection:
            row = connection.execute(select(_THREAD).where(_THREAD.c.id == number)).mappings().first()
        if row is None:
            raise NotFound("thread", thread_id)
        return _thread(row)

    def messages(self, thread_id: str) -> list[ChatMessage]:
        """All messages of a thread, in order."""
        number = inside("thread", thread_id)
        statement = select(_MESSAGE).where(_MESSAGE.c.thread_id == number).order_by(_MESSAGE.c.n)
        with self._database.read() as connection:
            return [_message(row) for row in connection.execute(statement).mappings()]

    def list(self, owner: str | None = None, limit: int = 100, cursor: str | None = None) -> Page[ChatThread]:
        """Threads, newest first; of one owner or of all."""
        statement = select(_THREAD).limit(check_limit(limit) + 1)
        if owner is not None:
            statement = statement.where(_THREAD.c.owner == owner)
        statement = newest_first(statement, _THREAD.c.created_at, _THREAD.c.id, cursor)
        with self._database.read() as connection:
            return page_of(connection.execute(statement).mappings().all(), limit, "created_at", _thread)


def _thread(row: RowView) -> ChatThread:
    return ChatThread(
        outside("thread", row["id"]), row["owner"], row["title"], row["created_at"], row["updated_at"]
    )


def _message(row: RowView) -> ChatMessage:
    return ChatMessage(
        row["n"],
        row["role"],
        row["text"],
        row["at"],
        row["run_id"],
        tuple(row["citations"]),
        tuple(row["tool_calls"]),
    )
