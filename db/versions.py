"""The versions of diagnoses: bodies, evidence and ticked actions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, tuple_

from db.identifiers import outside
from db.plain import to_plain
from db.statements import RowView, insert_into, upsert
from db.tables import diagnosis as tables
from db.tables import table_of
from domain.diagnosis import Diagnosis

DIAGNOSIS = table_of(tables.DiagnosisRow)
VERSION = table_of(tables.DiagnosisVersionRow)
EVIDENCE = table_of(tables.EvidenceRow)
ACTION = table_of(tables.ActionRow)
FINAL = ("done", "failed", "cancelled")
_ACTION_LISTS = ("immediate_actions", "preventive_measures", "monitoring_recommendations")
_TICKS = ("done", "done_by", "done_at")
Tick = tuple[bool, str | None, datetime | None]


def next_version(connection: Connection, head: RowView, diagnosis: Diagnosis) -> int:
    """The version under which a state is stored: a finished state that differs is left alone."""
    version = int(head["version"])
    if head["status"] not in FINAL:
        return version
    same = _version_row(connection, head["id"], version)["body"] == _body(diagnosis)
    kept = _evidence(connection, head["id"], version)
    return version if same and kept == to_plain(diagnosis.evidence) else version + 1


def write(connection: Connection, number: int, version: int, diagnosis: Diagnosis) -> None:
    """Store a state under a version; evidence that did not change is stored once."""
    evidence = to_plain(diagnosis.evidence)
    evidence_version = version
    for earlier in (version, version - 1):
        if earlier > 0 and evidence and _evidence(connection, number, earlier) == evidence:
            evidence_version = int(_version_row(connection, number, earlier)["evidence_version"])
            break
    else:
        _write_evidence(connection, number, version, evidence)
    row = {
        "diagnosis_id": number,
        "version": version,
        "evidence_version": evidence_version,
        "body": _body(diagnosis),
    }
    upsert(connection, VERSION, ("diagnosis_id", "version"), [row])


def write_action(connection: Connection, number: int, n: int, tick: Tick) -> None:
    """Store whether an action is done."""
    row = {"diagnosis_id": number, "n": n, **dict(zip(_TICKS, tick, strict=True))}
    upsert(connection, ACTION, ("diagnosis_id", "n"), [row])


def numbers(connection: Connection, number: int) -> list[int]:
    """The versions of a diagnosis, oldest first."""
    statement = select(VERSION.c.version).where(VERSION.c.diagnosis_id == number).order_by(VERSION.c.version)
    return list(connection.execute(statement).scalars())


def read(connection: Connection, heads: Sequence[RowView]) -> list[Diagnosis]:
    """The diagnoses of some heads (rows with `id` and `version`), in their order."""
    wanted = [(head["id"], head["version"]) for head in heads]
    if not wanted:
        return []
    place = tuple_(VERSION.c.diagnosis_id, VERSION.c.version)
    found = connection.execute(select(VERSION).where(place.in_(wanted))).mappings()
    rows = {(row["diagnosis_id"], row["version"]): row for row in found}
    evidence = _evidence_of(
        connection, [(row["diagnosis_id"], row["evidence_version"]) for row in rows.values()]
    )
    ticks = _ticks(connection, [number for number, _ in wanted])
    return [
        _diagnosis(rows[key], evidence.get((key[0], rows[key]["evidence_version"]), []), ticks)
        for key in wanted
        if key in rows
    ]


def _diagnosis(
    row: RowView, evidence: list[Any], ticks: Mapping[tuple[int, int], Mapping[str, Any]]
) -> Diagnosis:
    body = dict(row["body"])
    number = row["diagnosis_id"]
    for name in _ACTION_LISTS:
        body[name] = [{**one, **ticks.get((number, one["n"]), {})} for one in body[name]]
    return Diagnosis.model_validate({**body, "id": outside("diagnosis", number), "evidence": evidence})


def _body(diagnosis: Diagnosis) -> Any:
    """Everything but the id, the evidence and the ticks, which are stored beside it."""
    body = to_plain(diagnosis.model_dump(exclude={"id", "evidence"}))
    for name in _ACTION_LISTS:
        body[name] = [{k: v for k, v in one.items() if k not in _TICKS} for one in body[name]]
    return body


def _version_row(connection: Connection, number: int, version: int) -> RowView:
    statement = select(VERSION).where(VERSION.c.diagnosis_id == number, VERSION.c.version == version)
    return connection.execute(statement).mappings().one()


def _evidence(connection: Connection, number: int, version: int) -> list[Any]:
    """The evidence of a version; empty where the version is not there."""
    statement = (
        select(EVIDENCE.c.body)
        .join(VERSION, VERSION.c.diagnosis_id == EVIDENCE.c.diagnosis_id)
        .where(
            VERSION.c.diagnosis_id == number,
            VERSION.c.version == version,
            EVIDENCE.c.version == VERSION.c.evidence_version,
        )
        .order_by(EVIDENCE.c.position)
    )
    return list(connection.execute(statement).scalars())


def _evidence_of(
    connection: Connection, wanted: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], list[Any]]:
    place = tuple_(EVIDENCE.c.diagnosis_id, EVIDENCE.c.version)
    statement = select(EVIDENCE).where(place.in_(wanted)).order_by(EVIDENCE.c.position)
    found: dict[tuple[int, int], list[Any]] = {}
    for row in connection.execute(statement):
        found.setdefault((row.diagnosis_id, row.version), []).append(row.body)
    return found


def _write_evidence(connection: Connection, number: int, version: int, evidence: Sequence[Any]) -> None:
    here = (EVIDENCE.c.diagnosis_id == number) & (EVIDENCE.c.version == version)
    connection.execute(delete(EVIDENCE).where(here))
    rows = [
        {
            "diagnosis_id": number,
            "version": version,
            "position": position,
            "name": one["id"],
            "kind": one["kind"],
            "body": one,
        }
        for position, one in enumerate(evidence)
    ]
    if rows:
        connection.execute(insert_into(connection, EVIDENCE), rows)


def _ticks(connection: Connection, wanted: Sequence[int]) -> dict[tuple[int, int], dict[str, Any]]:
    statement = select(ACTION).where(ACTION.c.diagnosis_id.in_(list(wanted)))
    return {
        (row["diagnosis_id"], row["n"]): {name: row[name] for name in _TICKS}
        for row in connection.execute(statement).mappings()
    }
