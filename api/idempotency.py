"""A request repeated with its Idempotency-Key is answered as the first time, for 24 hours."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response

from api.doors import Doors
from db.records import StoredResponse


@dataclass(frozen=True, slots=True)
class Idempotent:
    """One request: who sent which body to which route, under which key (None: no key)."""

    door: Doors
    caller: str
    route: str
    key: str | None
    digest: str

    @property
    def place(self) -> str:
        """Keys of different callers and routes never meet."""
        return bytes_digest(f"{self.route}|{self.caller}|{self.key}".encode("utf-8", "replace"))


def bytes_digest(body: bytes) -> str:
    """The identity of a body."""
    return hashlib.sha256(body).hexdigest()


def replayed(once: Idempotent, act: Callable[[], Response]) -> Response:
    """The stored answer of an earlier request with this key, else that of `act`, which is then stored.

    Twins at the same time wait for the first of them.

    Raises:
        Conflict: the key was used with another body.
    """
    if once.key is None:
        return act()
    store = once.door.stores.idempotency
    with once.door.keys.held(once.place):
        stored = store.begin(once.place, once.digest, once.door.service.real_now())
        if stored is not None:
            return Response(stored.body, stored.status, {**stored.headers, "Idempotency-Replayed": "true"})
        try:
            response = act()
        except BaseException:
            store.release(once.place)
            raise
        if response.status_code >= 500 or response.status_code == 429:
            store.release(once.place)
            return response
        kept = {name: value for name, value in response.headers.items() if name != "content-length"}
        store.finish(once.place, StoredResponse(response.status_code, bytes(response.body), kept))
        return response
