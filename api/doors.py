"""What every route is handed: the running service, the stores, and the meters."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request

from api.auth import INGEST, OPERATE, READ, Caller, TokenBook, allow
from api.hooks.secrets import SecretBook
from api.hooks.settings import HookSettings
from api.ingest_gate import IngestGate
from api.limits import Limits
from api.metrics import ApiMetrics
from api.problem import MEDIA_TYPE, HttpProblem
from api.service_port import AnalystService
from api.settings import ServerSettings
from api.single_flight import KeyLocks, SingleFlight
from api.stores import Stores
from api.stream_count import OpenStreams

T = TypeVar("T")
_PATIENT_THREADS = 200
# Of what keeps a core busy for seconds, so many run at a time, and the next one waits so long for its turn.
_LABOURS = 2
LABOUR_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Doors:
    service: AnalystService
    stores: Stores
    settings: ServerSettings
    book: TokenBook
    metrics: ApiMetrics
    gate: IngestGate
    limits: Limits
    hooks: HookSettings
    hook_secrets: SecretBook
    flights: SingleFlight = field(default_factory=SingleFlight)
    keys: KeyLocks = field(default_factory=KeyLocks)
    streams: OpenStreams = field(default_factory=OpenStreams)
    leads: dict[str, tuple[tuple[object, ...], str]] = field(default_factory=dict)
    patience: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_PATIENT_THREADS))
    labours: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_LABOURS))

    async def patiently(self, call: Callable[[], T]) -> T:
        """Run a call that may take long in a pool of its own, so that short ones never wait for it."""
        return await to_thread.run_sync(call, limiter=self.patience)

    async def laboriously(self, call: Callable[[], T]) -> T:
        """The same for a call that keeps a core busy, a few at a time: cycles and alerts need cores, too."""
        try:
            async with asyncio.timeout(LABOUR_WAIT_S):
                await self.labours.acquire()
        except TimeoutError:
            raise HttpProblem(
                429, "Too much is being computed. Come back in 5 s.", headers={"Retry-After": "5"}
            ) from None
        try:
            return await self.patiently(call)
        finally:
            self.labours.release()

    def audit(
        self, caller: Caller, action: str, subject: str, change: tuple[Any, Any] = (None, None)
    ) -> None:
        """Record in the audit log who changed what, from what to what."""
        self.audit_as(caller.name, action, subject, change)

    def audit_as(self, actor: str, action: str, subject: str, change: tuple[Any, Any] = (None, None)) -> None:
        """The same for somebody who is no caller, such as the sender of a webhook."""
        self.stores.audit.append(actor, action, subject, self.service.real_now(), change=change)


def _doors(request: Request) -> Doors:
    doors: Doors = request.app.state.doors
    return doors


Door = Annotated[Doors, Depends(_doors)]
Reader = Annotated[Caller, allow(READ)]
Operator = Annotated[Caller, allow(OPERATE)]
Feeder = Annotated[Caller, allow(INGEST)]


_MEANINGS = {
    400: "The body cannot be parsed.",
    401: "No valid token.",
    403: "The role, the origin or the address of the caller does not allow this.",
    404: "There is no such object.",
    405: "This address does not take this method.",
    408: "The body did not arrive in time.",
    409: "The request contradicts what is stored.",
    413: "The body is too large, also after inflating.",
    415: "The media type or the content encoding is not supported.",
    421: "The service does not answer to this host name.",
    422: "A field is not usable; `errors` names it.",
    429: "Too much at once; come back after Retry-After seconds.",
    503: "A part of the service is not available; come back after Retry-After seconds.",
}
_ALWAYS = (401, 403, 405, 421, 422, 429, 503)
_WITH_BODY = (400, 408, 413, 415)


def errors(*statuses: int, body: bool = False) -> dict[int | str, dict[str, Any]]:
    """The documented errors of a route: those of all routes, those of bodies, and its own."""
    found = sorted({*_ALWAYS, *(_WITH_BODY if body else ()), *statuses})
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _MEANINGS[status], "content": content} for status in found}
