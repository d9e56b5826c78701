"""PostgreSQL knows times that Python does not, such as `infinity`: one such row must not cost the others."""

from typing import Any


def read_any_time(driver_connection: Any) -> None:
    """Let a connection of psycopg hand on as text what is no time of the years 1 to 9999."""
    adapters = getattr(driver_connection, "adapters", None)
    if adapters is None:
        return
    from psycopg import pq  # noqa: PLC0415 - an extra, only where PostgreSQL is read

    for name in ("timestamptz", "timestamp", "date"):
        usual = adapters.get_loader(adapters.types[name].oid, pq.Format.TEXT)
        if usual is not None:
            adapters.register_loader(name, _lenient(usual))


def _lenient(usual: Any) -> type[Any]:
    from psycopg import DataError  # noqa: PLC0415
    from psycopg.adapt import Loader  # noqa: PLC0415

    class Lenient(Loader):
        """Asks the usual one first, which is no class that could be inherited from."""

        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            self._usual = usual(oid, context)

        def load(self, data: Any) -> Any:
            try:
                return self._usual.load(data)
            except DataError:
                return bytes(data).decode("ascii", "replace")

    return Lenient
