"""The configuration: one file, every key overridable from the environment, unknown keys are errors."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from agent.evidence.settings import EvidenceSettings
from agent.model.settings import LlmSettings
from alerts.settings import SECRET_KEYS, AlertSettings
from api.hooks.settings import HookSettings
from api.settings import ServerSettings, TokenSettings
from collectors.settings import SourceSettings
from collectors.settings_derived import DerivedSettings
from db.settings import DatabaseSettings, RetentionPolicy
from detectors.settings import DetectionSettings
from domain.errors import ConfigurationError
from domain.rule import Rule
from domain.topology import Edge, Strategy

_SECTION = ConfigDict(frozen=True, extra="forbid")
CONFIG_VARIABLE = "ANALYST_CONFIG"


class SchedulerSettings(BaseModel):
    """When cycles run and how far they look."""

    model_config = _SECTION

    interval_seconds: int = Field(
        default=300,
        ge=1,
        le=86_400,
        description="Seconds between two cycles; also the default step of a series.",
    )
    settle_seconds: float = Field(
        default=2,
        ge=0,
        le=60,
        description="A cycle begins this long after its slot, so that sources have what ended with it; "
        "a tenth of the interval at most.",
    )
    lookback_hours: float = Field(
        default=24, gt=0, le=24 * 31, description="The window that is scored, kept in memory and shown."
    )
    incident_gap_seconds: float = Field(
        default=1_800, gt=0, description="Anomalies this close in time may belong to one incident."
    )
    push_seconds: float = Field(
        default=1.0,
        ge=0,
        le=60,
        description="Pushed samples are judged this soon, between cycles; 0: they wait for the next cycle.",
    )
    diagnoses_per_cycle: int = Field(
        default=20, ge=0, description="Incidents diagnosed inside a cycle, worst first; the rest follow."
    )


class ClusterSettings(BaseModel):
    """Where detection computes."""

    model_config = _SECTION

    workers: int = Field(default=0, ge=0, le=256, description="Worker processes; 0 = this one.")
    address: str | None = Field(default=None, description="Address of a Dask scheduler to use instead.")


class Settings(BaseSettings):
    """Everything that can be configured; the environment wins over the file."""

    model_config = SettingsConfigDict(
        env_prefix="ANALYST_", env_nested_delimiter="__", extra="forbid", frozen=True, case_sensitive=False
    )

    database: DatabaseSettings = DatabaseSettings()
    server: ServerSettings = ServerSettings()
    hooks: HookSettings = HookSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    detection: DetectionSettings = DetectionSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    rules: tuple[Rule, ...] = ()
    sources: tuple[SourceSettings, ...] = ()
    derived: tuple[DerivedSettings, ...] = ()
    llm: LlmSettings = LlmSettings()
    alerts: AlertSettings = AlertSettings()
    strategies: tuple[Strategy, ...] = ()
    edges: tuple[Edge, ...] = ()
    tokens: tuple[TokenSettings, ...] = ()
    runbooks: tuple[Path, ...] = Field(default=(), description="Folders with runbooks of your own.")
    retention: RetentionPolicy = RetentionPolicy()
    cluster: ClusterSettings = ClusterSettings()

    @field_validator("sources", "rules", "strategies")
    @classmethod
    def _names_are_unique(cls, items: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [item.name for item in items]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the name {twice[0]!r} is used twice")
        return items

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 -- the hook's signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


def load_settings(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the configuration file, if any, under the environment.

    Args:
        path: the file; None means `$ANALYST_CONFIG`, else `analyst.toml` where it exists, else defaults.
        environ: for the names of unknown variables; the process' own environment by default.

    Raises:
        ConfigurationError: naming the key and what is wrong with it, in one line.
    """
    environ = os.environ if environ is None else environ
    content = _read(_find(path, environ))
    _refuse_secrets(content)
    _refuse_unknown_variables(environ)
    return settings_from(content)


def settings_from(content: Mapping[str, Any]) -> Settings:
    """Settings from plain values, as they stand in a file, under the environment.

    Raises:
        ConfigurationError: naming the key and what is wrong with it, in one line.
    """
    try:
        return Settings(**content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "configuration"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        reason = "is not a known key" if first["type"] == "extra_forbidden" else first["msg"]
        raise ConfigurationError(key, f"{reason}{more}") from None


def _find(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    if path is not None:
        return path
    if environ.get(CONFIG_VARIABLE):
        return Path(environ[CONFIG_VARIABLE])
    default = Path("analyst.toml")
    return default if default.exists() else None


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(str(path), error.strerror or "cannot be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(str(path), f"is not TOML: {error}") from None


def _refuse_secrets(content: Mapping[str, Any]) -> None:
    """Secrets in the file itself would end up in version control and backups."""
    secrets = {"llm.api_key", *(f"alerts.{key}" for key in SECRET_KEYS)}
    for path in _leaves(dict(content), ""):
        if path in secrets:
            raise ConfigurationError(path, "is a secret and belongs into the environment, not into the file")


def _leaves(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}".lstrip("."))
    else:
        yield path


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    sections = set(Settings.model_fields)
    for name in environ:
        if name.startswith("ANALYST_") and name != CONFIG_VARIABLE:
            section = name.removeprefix("ANALYST_").split("__")[0].lower()
            if section not in sections:
                known = ", ".join(sorted(sections))
                raise ConfigurationError(name, f"names no section; sections are {known}")
