"""How a language model is reached and what it may cost."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class ModelPrice(BaseModel):
    """Price of a model in USD per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0, description="USD per million input tokens.")
    cached_input: float | None = Field(
        default=None, ge=0, description="USD per million input tokens that the endpoint had in its cache."
    )
    output: float = Field(ge=0, description="USD per million output tokens.")


class LlmSettings(BaseModel):
    """Which model investigates, where it is reached, and its limits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = Field(
        default=None, description="Name of the model; without one the reasoner is statistical."
    )
    base_url: str | None = Field(default=None, description="Any OpenAI-compatible endpoint.")
    provider: str = Field(
        default="openai",
        description="`openai` for any compatible endpoint, or a provider that LangChain knows.",
    )
    api: Literal["chat", "responses"] = Field(
        default="chat", description="Chat Completions, which all endpoints speak, or Responses."
    )
    low_severity_model: str | None = Field(
        default=None, description="A cheaper model for incidents of low severity."
    )
    fallback_model: str | None = Field(
        default=None, description="A model of the same endpoint to ask once where the first one fails."
    )
    api_key: SecretStr | None = Field(
        default=None, description="Only from the environment: OPENAI_API_KEY or ANALYST_LLM__API_KEY."
    )
    temperature: float = Field(default=0.1, ge=0, le=2, description="Sampling temperature.")
    max_tokens: int = Field(default=4_000, ge=1, description="Longest answer of one call, in tokens.")
    timeout_seconds: float = Field(default=60, gt=0, description="Deadline of all calls of one diagnosis.")
    max_retries: int = Field(default=2, ge=0, le=10, description="Retries of a call that may succeed later.")
    max_calls_per_diagnosis: int = Field(default=8, ge=1, le=8, description="Most calls of one diagnosis.")
    chat: bool = Field(default=True, description="Whether the chat asks the model too.")
    chat_timeout_seconds: float = Field(
        default=30, gt=0, description="Deadline of all calls for one answer of the chat."
    )
    max_calls_per_answer: int = Field(default=8, ge=1, le=16, description="Most calls for one answer.")
    budget_usd_per_answer: float | None = Field(default=None, ge=0, description="Hard cap per answer.")
    concurrency: int = Field(default=2, ge=1, le=32, description="Investigations that use the model at once.")
    budget_usd_per_day: float | None = Field(default=None, ge=0, description="Hard cap per UTC day.")
    budget_usd_per_diagnosis: float | None = Field(default=None, ge=0, description="Hard cap per diagnosis.")
    prices: dict[str, ModelPrice] = Field(
        default_factory=dict,
        description="Price per model; without one a cost is unknown and budgets assume `assumed_price`.",
    )
    assumed_price: ModelPrice = Field(
        default=ModelPrice(input=5.0, output=20.0),
        description="What budgets count for a model whose price is not known.",
    )
    reuse_minutes: float = Field(
        default=30,
        ge=0,
        description="A finished investigation of nearly the same anomaly is reused this long.",
    )
