"""Settings of sources that bring log lines: files, the journal, Grafana Loki."""

import re
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from collectors.settings_base import EnvironmentName, HttpSource, SourceBase, TimeZone
from domain.series import SourceName


class LogCounting(SourceBase):
    """What is done with lines, wherever they come from."""

    source: SourceName = Field(default="system_logs", description="What the lines are.")
    component: str | None = Field(
        default=None,
        description="Component of lines that name none of the desk; default: logger, file, unit or stream.",
    )
    pattern: str | None = Field(
        default=None,
        max_length=1_000,
        description="Regular expression with the groups timestamp, level, component, message (all optional).",
    )
    timezone: TimeZone = Field(default="UTC", description="Time zone of times without an offset.")
    max_templates: int = Field(
        default=1_000, ge=10, le=10_000, description="Templates kept; rare ones give way."
    )
    template_series: int = Field(
        default=100,
        ge=0,
        le=1_000,
        description="Templates whose counts are series of their own; INFO gets half of the places at most.",
    )
    novelty_series: int = Field(
        default=50, ge=0, le=500, description="Templates that can be told as new or bursting by name."
    )
    burst_factor: float = Field(
        default=6, gt=1, description="A count this far over the usual one is a burst."
    )

    @field_validator("pattern")
    @classmethod
    def _is_an_expression(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"is not a regular expression: {error}") from None
        return pattern

    @property
    def stale_after(self) -> float | None:
        """A quiet log is normal unless configured otherwise."""
        return self.stale_after_seconds


class LogSource(LogCounting):
    """Log files: counts per component and level as series, new and bursting templates as events."""

    kind: Literal["logs"]
    paths: tuple[str, ...] = Field(min_length=1, description="Files or globs; rotated files are followed.")
    from_start: bool = Field(
        default=True, description="Read files found at the first start from their beginning."
    )
    max_bytes: int = Field(default=8 * 1024 * 1024, ge=10_000, description="Bytes read per page.")


class JournalSource(LogCounting):
    """The journal of systemd, or a file that `journalctl -o json` writes."""

    kind: Literal["journald"]
    only_units: tuple[str, ...] = Field(default=(), description="Only these units; default: all.")
    identifiers: tuple[str, ...] = Field(default=(), description="Only these syslog identifiers.")
    priority: Literal["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"] = Field(
        default="info", description="Nothing less important than this."
    )
    file: str | None = Field(
        default=None, description="A file with the output of `journalctl -o json`, where no journal runs."
    )
    program: str = Field(default="journalctl", description="The program that is run.")
    backfill_hours: float = Field(default=1, ge=0, le=744, description="How far the first read goes back.")
    max_bytes: int = Field(default=8 * 1024 * 1024, ge=10_000, description="Bytes read per page.")

    @field_validator("only_units", "identifiers")
    @classmethod
    def _are_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not name or name.startswith("-") or not name.isprintable():
                raise ValueError(f"{name!r} is not the name of a unit")
        return names


class LokiSource(HttpSource, LogCounting):
    """Lines from Grafana Loki by its query API."""

    kind: Literal["loki"]
    query: str = Field(
        min_length=2, max_length=5_000, description='A log query in LogQL, such as `{app="gateway"}`.'
    )
    tenant: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_.|!*'()-]{1,150}$", description="Sent as `X-Scope-OrgID`."
    )
    tenant_env: EnvironmentName | None = Field(
        default=None, description="Environment variable with the tenant, where it is not for the file."
    )
    direction: Literal["forward", "backward"] = Field(
        default="forward",
        description="Order in which pages are asked for; `backward` where only that is served.",
    )
    page_lines: int = Field(
        default=5_000, ge=2, le=100_000, description="Lines per request; the server's limit."
    )
    component_labels: tuple[str, ...] = Field(
        default=("component", "service_name", "app", "job", "container", "unit"),
        description="Labels of a stream that name the component, the first that is there.",
    )
    level_labels: tuple[str, ...] = Field(
        default=("level", "detected_level", "severity"), description="Labels that name the level."
    )
    backfill_hours: float = Field(
        default=1, ge=0, le=744, description="How far the first read, or one after an outage, goes back."
    )
    delay_seconds: float = Field(default=10, ge=0, description="Stay this far behind now, for late lines.")

    @model_validator(mode="after")
    def _has_one_tenant(self) -> Self:
        if self.tenant and self.tenant_env:
            raise ValueError("needs tenant or tenant_env, not both")
        return self

    @property
    def fixed_headers(self) -> Mapping[str, str]:
        """Headers that the tenant adds to the configured ones."""
        return {**self.headers, **({"X-Scope-OrgID": self.tenant} if self.tenant else {})}
