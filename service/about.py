"""What the service says about itself to whoever looks after it: its storage and its configuration."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from api.service_port import ConfigurationEntry, ServiceFacts
from db.database import Database
from service.settings import Settings

_SECRET_WORDS = ("token", "secret", "password", "api_key", "webhook_url", "url")
_MASK = "•••"


def facts_of(settings: Settings, database: Database) -> ServiceFacts:
    """Storage in words and every key of the configuration; what may be a secret is masked."""
    return ServiceFacts(storage=_storage(database), configuration=tuple(_entries(settings)))


def _storage(database: Database) -> str:
    if database.path is None:
        return "PostgreSQL"
    size = sum(
        path.stat().st_size
        for path in (database.path, database.path.with_name(f"{database.path.name}-wal"))
        if path.exists()
    )
    return f"SQLite, {size / 1_048_576:.1f} MiB"


def _entries(settings: Settings) -> Iterator[ConfigurationEntry]:
    for section in type(settings).model_fields:
        yield from _flat(section, getattr(settings, section))


def _flat(key: str, value: Any) -> Iterator[ConfigurationEntry]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _flat(f"{key}.{name}", getattr(value, name))
        return
    variable = f"ANALYST_{key.upper().replace('.', '__')}"
    yield ConfigurationEntry(
        key=key, value=_shown(key, value), variable=variable, overridden=variable in os.environ
    )


def _shown(key: str, value: Any) -> str:
    last = key.rpartition(".")[2]
    if isinstance(value, SecretStr) or (value and any(word in last for word in _SECRET_WORDS)):
        return _MASK if value else "not set"
    if isinstance(value, tuple | list):
        # Lists hold names and addresses of their own; their length says enough here.
        named = [str(getattr(one, "name", "")) for one in value]
        return ", ".join(name for name in named if name)[:300] or f"{len(value)} entries"
    if isinstance(value, Mapping):
        return f"{len(value)} entries"
    return "not set" if value is None else str(value)
