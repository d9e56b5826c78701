"""What the service may ask of the demo desk."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class DemoDesk(Protocol):
    """The simulated desk behind the demo."""

    @property
    def kinds(self) -> Sequence[str]:
        """The incidents that can be injected."""

    def inject(self, kind: str) -> Mapping[str, Any]:
        """Start an incident now; `started_at` and `ended_at` are in the answer. Raises NotFound."""
