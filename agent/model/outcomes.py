"""What a call of a model can come to: an answer, or one of a small set of failures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from domain.errors import ReasonerError

Outcome = Literal[
    "answered",
    "truncated",
    "refused",
    "empty",
    "malformed",
    "rate_limited",
    "quota",
    "unauthorised",
    "unknown_model",
    "unsupported",
    "rejected",
    "too_long",
    "server_error",
    "timeout",
    "unreachable",
    "redirected",
    "over_budget",
    "paused",
]
# A second try may end otherwise.
TRANSIENT: frozenset[Outcome] = frozenset({"rate_limited", "server_error", "unreachable"})
# No try will end otherwise until somebody changes something.
PERMANENT: frozenset[Outcome] = frozenset({"quota", "unauthorised", "unknown_model", "redirected"})
# The request was at fault, not the endpoint: says nothing about its health.
OURS: frozenset[Outcome] = frozenset(
    {"unsupported", "rejected", "too_long", "over_budget", "paused", "refused"}
)

_WORDS: Mapping[Outcome, str] = {
    "truncated": "the model's answer was cut off at its length limit",
    "refused": "the model refused to answer",
    "empty": "the model answered nothing",
    "malformed": "the endpoint's answer could not be read",
    "rate_limited": "the endpoint asks to be called less often",
    "quota": "the model account has no quota left",
    "unauthorised": "the endpoint does not accept the key",
    "unknown_model": "the endpoint does not know this model",
    "unsupported": "the endpoint does not support what was asked for",
    "rejected": "the endpoint rejected the request",
    "too_long": "the prompt is too long for the model",
    "server_error": "the endpoint failed",
    "timeout": "the model did not answer in time",
    "unreachable": "the endpoint could not be reached or broke off",
    "redirected": "the endpoint redirects elsewhere, which is not followed",
    "over_budget": "the budget for language models is spent",
    "paused": "the endpoint failed lately and is being left alone",
}


@dataclass(frozen=True, slots=True)
class TokenUse:
    """Tokens of one call as the endpoint counted them."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A tool that the model wants called; `arguments` is its own JSON text, to be judged."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What one call brought: text, requests for tools, and what it used (None where not told)."""

    text: str
    tools: tuple[ToolRequest, ...] = ()
    usage: TokenUse | None = None
    truncated: bool = False
    model: str = ""


class Listener(Protocol):
    """Hears an answer while it streams in."""

    @property
    def committed(self) -> bool:
        """Whether some of it was shown to somebody, so that it cannot be asked for anew."""

    def begin(self) -> None:
        """An attempt begins."""

    def hear(self, piece: str) -> None:
        """Text as it comes, cleaned."""


@dataclass(frozen=True, slots=True)
class Question:
    """One call: messages as the chat API has them, a JSON schema for the answer, and tools.

    Args:
        messages: role and content mappings, the system's first.
        name: the prompt file with its content hash, for the record.
        key: what makes this call the same call after a crash, random delimiters left out.
        schema: JSON schema of the wanted answer; None for free text.
        tools: function definitions that the model may ask for.
        max_tokens: longest answer.
        listener: hears the answer where the endpoint streams it; no part of what is asked.
    """

    messages: tuple[Mapping[str, Any], ...]
    name: str
    key: str
    schema: Mapping[str, Any] | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    max_tokens: int = 4_000
    listener: Listener | None = field(default=None, compare=False)


class ModelFailure(ReasonerError):
    """A call that brought no usable answer; its text is fit for `fallback_reason`.

    Args:
        outcome: what happened.
        detail: more words for the operator, without secrets.
        retry_after: seconds that the endpoint asked to be left alone.
        usage: tokens that were used all the same, where known.
        sent: whether the request may have reached the model (and may have cost something).
    """

    def __init__(
        self,
        outcome: Outcome,
        detail: str = "",
        *,
        retry_after: float | None = None,
        usage: TokenUse | None = None,
        sent: bool = False,
    ) -> None:
        super().__init__(f"{_WORDS[outcome]}{f' ({detail})' if detail else ''}")
        self.outcome: Outcome = outcome
        self.detail = detail
        self.retry_after = retry_after
        self.usage = usage
        self.sent = sent
