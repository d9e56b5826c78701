"""Settings of the HTTP server and of its tokens."""

import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Role = Literal["viewer", "operator", "ingest", "admin"]
_SHA256 = re.compile(r"[0-9a-f]{64}")


class TokenSettings(BaseModel):
    """One `[[tokens]]` entry: who may do what. The token itself never stands in the configuration.

    Exactly one of `sha256`, `env` and `file` says where the token comes from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        min_length=1, max_length=100, description="Shown as the author of what is done with it."
    )
    role: Role = Field(description="viewer, operator, ingest or admin.")
    sha256: str | None = Field(default=None, description="SHA-256 of the token, in hex.")
    env: str | None = Field(default=None, min_length=1, description="Environment variable with the token.")
    file: str | None = Field(
        default=None, min_length=1, description="File with the token; read again on change."
    )

    @field_validator("sha256")
    @classmethod
    def _is_a_digest(cls, value: str | None) -> str | None:
        if value is not None and not _SHA256.fullmatch(value.lower()):
            raise ValueError("must be 64 hexadecimal digits")
        return value.lower() if value else value

    @model_validator(mode="after")
    def _comes_from_one_place(self) -> Self:
        if sum(given is not None for given in (self.sha256, self.env, self.file)) != 1:
            raise ValueError("needs exactly one of sha256, env and file")
        return self


class ServerSettings(BaseModel):
    """The `[server]` section."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(
        default="127.0.0.1", min_length=1, description="Address to bind; loopback without tokens."
    )
    port: int = Field(default=8000, ge=0, le=65_535, description="Port to bind; 0 takes a free one.")
    public_url: str | None = Field(
        default=None, description="Address of the dashboard in links that leave it."
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(), description="Host names the service answers to; empty: any with tokens, loopback without."
    )
    allowed_origins: tuple[str, ...] = Field(
        default=(), description="Origins of other sites whose pages may send changes."
    )
    max_body_bytes: int = Field(default=1_048_576, ge=1_024, description="Largest body, after inflating.")
    max_ingest_bytes: int = Field(
        default=8_388_608, ge=1_024, description="Largest body of samples and events, after inflating."
    )
    max_samples: int = Field(default=100_000, ge=1, description="Most samples or events in one request.")
    ingest_queue: int = Field(default=64, ge=1, description="Ingest requests in work before 429 is answered.")
    header_seconds: float = Field(default=10.0, gt=0, le=15, description="Deadline for a request's header.")
    body_seconds: float = Field(default=30.0, gt=0, le=60, description="Deadline for a request's body.")
    session_hours: float = Field(default=12.0, gt=0, le=24 * 31, description="How long a sign-in lasts.")
    feedback_per_day: int = Field(
        default=500, ge=1, description="Verdicts of one author in 24 hours; the next one is a 429."
    )
    requests_per_second: float = Field(
        default=500, ge=0, description="Requests of one token, ten seconds' worth at once; 0: no limit."
    )
    requests_per_second_per_address: float = Field(
        default=1_000, ge=0, description="Requests of one address, ten seconds' worth at once; 0: no limit."
    )
    wrong_tokens_per_minute: float = Field(
        default=3_000, ge=0, description="Wrong tokens and signatures from one address; 0: no limit."
    )
    logins_per_minute: float = Field(
        default=30, ge=0, description="Attempts to sign in from one address; 0: no limit."
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(), description="Addresses of proxies whose X-Forwarded-For tells the client's address."
    )
    max_streams: int = Field(default=500, ge=1, description="Open event streams before 503 is answered.")
    max_connections: int = Field(
        default=2_000,
        ge=16,
        description="Open connections; beyond, whoever keeps us waiting the longest is cut off.",
    )
