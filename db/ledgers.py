"""What diagnoses were reasoned from: one packed text each, read again when the reasoning is repeated."""

import zlib

from sqlalchemy import select

from db.database import Database
from db.identifiers import inside
from db.plain import plain_text
from db.statements import upsert
from db.tables import diagnosis as tables
from db.tables import table_of
from domain.errors import NotFound

_LEDGER = table_of(tables.LedgerRow)


class LedgerStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, diagnosis_id: str, text: str) -> None:
        """Keep the text of a diagnosis in the place of an earlier one."""
        number = inside("diagnosis", diagnosis_id)
        row = {"diagnosis_id": number, "body": zlib.compress(plain_text(text).encode(), 9)}
        with self._database.write() as connection:
            upsert(connection, _LEDGER, ("diagnosis_id",), [row])

    def get(self, diagnosis_id: str) -> str:
        """The text; raises NotFound where none was kept."""
        number = inside("diagnosis", diagnosis_id)
        statement = select(_LEDGER.c.body).where(_LEDGER.c.diagnosis_id == number)
        with self._database.read() as connection:
            body = connection.execute(statement).scalar()
        if body is None:
            raise NotFound("stored ledger of a diagnosis", diagnosis_id)
        return zlib.decompress(body).decode()
