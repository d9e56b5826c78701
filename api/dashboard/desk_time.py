"""The desk's own clock: in a demo it runs faster than the wall, on which is recorded what people do."""

from datetime import datetime
from weakref import WeakKeyDictionary

from api.doors import Doors
from db.audit import AuditStore

_FIRST: "WeakKeyDictionary[AuditStore, tuple[datetime, datetime]]" = WeakKeyDictionary()


def desk_time(door: Doors, wall: datetime) -> datetime:
    """What the desk's clock showed when the wall's showed this."""
    now, real = door.service.now(), door.service.real_now()
    first_now, first_real = _FIRST.setdefault(door.stores.audit, (now, real))
    passed = (real - first_real).total_seconds()
    speed = (now - first_now).total_seconds() / passed if passed > 1 else 1.0
    return now - (real - wall) * speed
