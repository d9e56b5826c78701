"""Rules by name."""

from collections.abc import Sequence

from sqlalchemy import delete, select

from db.database import Database
from db.statements import insert_new, upsert
from db.tables import detection, table_of
from domain.errors import Conflict, NotFound
from domain.rule import Rule

_RULE = table_of(detection.RuleRow)
_OFFERED = table_of(detection.BuiltInRuleRow)


class RuleStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Rule]:
        """All rules by name."""
        with self._database.read() as connection:
            rows = connection.execute(select(_RULE.c.body).order_by(_RULE.c.name)).scalars()
            return [Rule.model_validate(body) for body in rows]

    def get(self, name: str) -> Rule:
        """One rule; raises NotFound."""
        with self._database.read() as connection:
            body = connection.execute(select(_RULE.c.body).where(_RULE.c.name == name)).scalar()
        if body is None:
            raise NotFound("rule", name)
        return Rule.model_validate(body)

    def add(self, rule: Rule) -> Rule:
        """Store a new rule; raises Conflict where the name is taken."""
        with self._database.write() as connection:
            if not insert_new(connection, _RULE, {"name": rule.name, "body": rule}):
                raise Conflict(f"there is already a rule named {rule.name!r}")
        return rule

    def offer(self, built_in: Sequence[Rule]) -> list[str]:
        """Store the built-in rules that this database was never given; names of those that are new.

        What somebody changed stays as it is, what somebody deleted stays away.
        """
        with self._database.write() as connection:
            return [
                rule.name
                for rule in built_in
                if insert_new(connection, _OFFERED, {"name": rule.name})
                and insert_new(connection, _RULE, {"name": rule.name, "body": rule})
            ]

    def put(self, rule: Rule) -> Rule:
        """Store a rule, replacing the one of the same name."""
        with self._database.write() as connection:
            upsert(connection, _RULE, ("name",), [{"name": rule.name, "body": rule}])
        return rule

    def delete(self, name: str) -> None:
        """Remove a rule; raises NotFound."""
        with self._database.write() as connection:
            if not connection.execute(delete(_RULE).where(_RULE.c.name == name)).rowcount:
                raise NotFound("rule", name)
