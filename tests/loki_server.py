"""A server that answers Loki's `query_range` in the documented shape; written by hand, no recording."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from raw_server import RawServer, reply, reply_json


@dataclass
class LokiServer:
    """Lines as (nanoseconds, text, labels); start is inclusive, end exclusive, as Loki documents it."""

    server: RawServer
    lines: list[tuple[int, str, Mapping[str, str]]] = field(default_factory=list)
    queries: list[Mapping[str, Sequence[str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server.respond = self._respond

    def _respond(self, connection: object, head: str) -> None:
        target = urlsplit(head.split(" ")[1])
        query = parse_qs(target.query)
        self.queries.append(query)
        if target.path != "/loki/api/v1/query_range":
            reply(b"404 page not found", status="404 Not Found")(connection, head)  # type: ignore[arg-type]
            return
        limit = int(query["limit"][0])
        if limit > 5_000:
            refusal = b"max entries limit per query exceeded, limit > max_entries_limit (10000 > 5000)"
            reply(refusal, status="400 Bad Request")(connection, head)  # type: ignore[arg-type]
            return
        start, end = int(query["start"][0]), int(query["end"][0])
        backward = query.get("direction", ["backward"]) == ["backward"]
        found = sorted(
            (one for one in self.lines if start <= one[0] < end), key=lambda one: one[0], reverse=backward
        )[:limit]
        streams: dict[str, list[list[str]]] = {}
        for nanos, text, labels in found:
            streams.setdefault(json.dumps(labels, sort_keys=True), []).append([str(nanos), text])
        result = [{"stream": json.loads(labels), "values": values} for labels, values in streams.items()]
        data = {"resultType": "streams", "result": result, "stats": {}}
        reply_json({"status": "success", "data": data})(connection, head)  # type: ignore[arg-type]
