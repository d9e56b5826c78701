"""What the doors for programs need of the desk's tools; the composition root implements it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from api.settings import Role


@dataclass(frozen=True, slots=True)
class DeskTool:
    """A question to the desk that a program may ask.

    Args:
        name: what it is called.
        description: what it answers, in a sentence or two.
        arguments: the JSON schema of its arguments, an object.
        starts: whether it starts something, which takes the role operator; the others only read.
    """

    name: str
    description: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    starts: bool = False


class DeskTools(Protocol):
    """The tools of the desk, the same ones that its chat uses."""

    def tools(self) -> Sequence[DeskTool]:
        """All of them, in a stable order."""

    def call(self, name: str, arguments: Mapping[str, Any], role: Role) -> Mapping[str, Any]:
        """Answer one call with plain JSON values.

        Raises:
            NotFound: there is no such tool, or no such object.
            InvalidInput: an argument is not usable; names it.
            Forbidden: the role does not allow it.
        """
